import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

const MOST_LINES = 250

const files = filesIn('lib').concat(filesIn('adapters'), filesIn('client'))

function filesIn(folder: string): string[] {
  const found = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return found.filter((file) => file.endsWith('.ts')).map((file) => `${folder}/${file}`)
}

function parse(file: string): ts.SourceFile {
  const text = readFileSync(join(root, file), 'utf8')
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
}

/** Counts the lines that hold a token: comments and blank lines are none. */
function linesOfCode(source: ts.SourceFile): number {
  const lines = new Set<number>()
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const visit = (node: ts.Node): void => {
    if (ts.isToken(node) && node.getWidth(source) > 0) {
      for (let line = lineAt(node.getStart(source)); line <= lineAt(node.getEnd()); line += 1) lines.add(line)
    }
    // `getChildren` gives JSDoc comments, too, as nodes.
    for (const child of node.getChildren(source)) if (!ts.isJSDoc(child)) visit(child)
  }
  visit(source)
  return lines.size
}

function hasComment(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc)
}

function isExported(node: ts.Node): boolean {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
}

/** The exported declarations of a file. Overloads and members of classes are not among them. */
function exportsOf(source: ts.SourceFile): { readonly name: string; readonly node: ts.Node }[] {
  return source.statements.filter(isExported).flatMap((node) => {
    if (ts.isVariableStatement(node)) {
      return node.declarationList.declarations.map((each) => ({ name: each.name.getText(source), node }))
    }
    const { name } = node as ts.DeclarationStatement
    return name === undefined ? [] : [{ name: name.getText(source), node }]
  })
}

describe('the house', () => {
  it('draws every part of lib in ARCHITECTURE.md', () => {
    const picture = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').split('```')[1] ?? ''
    const parts = readdirSync(join(root, 'lib'), { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `lib/${entry.name}/` : `lib/${entry.name}`,
    )
    assert.ok(parts.length > 10)
    assert.deepEqual(
      parts.filter((part) => !picture.includes(part)),
      [],
    )
  })

  it(`has no file of lib, adapters or client with more than ${MOST_LINES} lines of code`, () => {
    const long = files
      .map((file) => ({ file, lines: linesOfCode(parse(file)) }))
      .filter(({ lines }) => lines > MOST_LINES)
    assert.deepEqual(long, [])
  })

  it('counts lines of code, and neither comments nor blank lines', () => {
    const text =
      '/**\n * A comment.\n */\nexport const a = 1\n\n// One more.\nexport const b = [\n  1, // two\n]\n'
    assert.equal(linesOfCode(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true)), 4)
  })

  it('has a comment on every exported name', () => {
    const bare = files.flatMap((file) => {
      const names = exportsOf(parse(file)).filter(({ node }) => !hasComment(node))
      return names.map(({ name }) => `${file}: ${name}`)
    })
    assert.deepEqual(bare, [])
  })

  it('has a unit and a @default in the comment of every option', () => {
    const faults = files.flatMap((file) => {
      const source = parse(file)
      return source.statements
        .filter(ts.isInterfaceDeclaration)
        .filter(({ name }) => /Options$/.test(name.text))
        .flatMap(({ members }) => members.filter(ts.isPropertySignature))
        .flatMap((member) => faultsOf(member, source).map((fault) => `${file}: ${fault}`))
    })
    assert.deepEqual(faults, [])
  })

  it('has no test that loads lib, adapters or client a second time, as modules: V8 could not add the coverage up', () => {
    const tests = filesIn('test').filter((file) => file.endsWith('.test.ts'))
    const loading = tests.filter((file) =>
      /\bimport\('[./]*\/(lib|adapters|client)\//.test(readFileSync(join(root, file), 'utf8')),
    )
    assert.deepEqual(loading, [])
  })

  it('has no test that resets a socket but by support/reset.ts: a process may never end after it', () => {
    const texts = filesIn('test').filter((file) =>
      readFileSync(join(root, file), 'utf8').includes(`.resetAnd${'Destroy'}()`),
    )
    assert.deepEqual(texts, ['test/support/reset.ts'])
  })
})

/** The words that give a number its meaning. */
const UNITS = /\b(milliseconds|bytes|events|messages|packets|rooms|sessions|streams)\b/

function faultsOf(option: ts.PropertySignature, source: ts.SourceFile): string[] {
  const name = option.name.getText(source)
  const comment = ts
    .getJSDocCommentsAndTags(option)
    .map((each) => each.getText(source))
    .join('\n')
  const faults: string[] = []
  if (option.questionToken !== undefined && !comment.includes('@default'))
    faults.push(`${name} has no @default`)
  const isNumber = option.type?.kind === ts.SyntaxKind.NumberKeyword
  if (isNumber && !UNITS.test(comment)) faults.push(`${name} has no unit`)
  if (comment === '') faults.push(`${name} has no comment`)
  return faults
}
