import { existsSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { ROOT, type Script } from './doc-blocks.ts'

const PRELUDES = `${ROOT}/test/docs/preludes`
/** Declares what no page imports: libraries that are not installed here, and elements that a page has. */
const COMMON = `${PRELUDES}/common.d.ts`
/** A folder that exists only for the compiler. In it `comet-sse` is this package, as its exports say. */
const FOLDER = `${ROOT}/test/docs/scripts`

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  jsx: ts.JsxEmit.Preserve,
  types: ['node'],
  typeRoots: [`${ROOT}/node_modules/@types`],
  strict: true,
  allowJs: true,
  checkJs: true,
  allowImportingTsExtensions: true,
  noEmit: true,
}

/** The names that a page's prelude declares, and those of them that no block uses. */
export interface Prelude {
  readonly page: string
  readonly unused: readonly string[]
}

export interface Compiled {
  /** What is wrong, each with its page and line. */
  readonly errors: readonly string[]
  readonly preludes: readonly Prelude[]
}

interface Declared {
  readonly file: string
  /** The names, each with whether it is a type only. */
  readonly names: ReadonlyMap<string, boolean>
  readonly used: Set<string>
}

/**
 * Compiles the scripts of all pages at once, each as a module of its own. A name that a script neither declares nor
 * imports is taken from the prelude of its page, `test/docs/preludes/<page>.d.ts`.
 */
export function compileScripts(scripts: readonly Script[]): Compiled {
  const preludes = new Map<string, Declared | undefined>()
  for (const { page } of scripts) if (!preludes.has(page)) preludes.set(page, readPrelude(page))
  const files = new Map<string, Script & { readonly text: string }>()
  for (const script of scripts) {
    const file = `${FOLDER}/${withoutEnding(script.page)}/${script.file}`
    files.set(file, { ...script, text: withImports(script, file, preludes.get(script.page)) })
  }
  const declared = [...preludes.values()].filter((prelude) => prelude !== undefined)
  const own = [...files.keys(), ...declared.map(({ file }) => file), COMMON]
  const program = ts.createProgram(own, OPTIONS, hostWith(files))
  const errors = program.getOptionsDiagnostics().map((each) => describe(each, undefined))
  for (const name of own) {
    const source = program.getSourceFile(name) as ts.SourceFile
    const script = files.get(name)
    for (const each of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]) {
      if (!isAllowed(each, name)) errors.push(describe(each, script))
    }
  }
  return { errors, preludes: [...preludes].flatMap(([page, prelude]) => report(page, prelude)) }
}

/** In JavaScript a type may be implicit: the codes from 7000 say that it is. */
function isAllowed({ code }: ts.Diagnostic, file: string): boolean {
  return /\.(js|jsx|cjs|mjs)$/.test(file) && code >= 7_000 && code < 8_000
}

function report(page: string, prelude: Declared | undefined): Prelude[] {
  if (prelude === undefined) return []
  return [{ page, unused: [...prelude.names.keys()].filter((name) => !prelude.used.has(name)) }]
}

function withoutEnding(page: string): string {
  return page.replace(/^docs\//, '').replace(/\.md$/, '')
}

function readPrelude(page: string): Declared | undefined {
  const file = `${PRELUDES}/${withoutEnding(page)}.d.ts`
  if (!existsSync(file)) return undefined
  const names = new Map<string, boolean>()
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) names.set(name.getText(source), false)
    } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      names.set(statement.name?.text ?? 'default', false)
    } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      names.set(statement.name.text, true)
    }
  }
  return { file, names, used: new Set() }
}

/** Adds an import of what the script takes from the prelude. It comes last, so that all lines stay what they are. */
function withImports({ code }: Script, file: string, prelude: Declared | undefined): string {
  if (prelude === undefined) return code
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true)
  const declares = namesAtTopOf(source)
  const isTyped = /\.[mc]?tsx?$/.test(file)
  const taken = [...identifiersOf(source)].filter((name) => {
    const isType = prelude.names.get(name)
    return isType !== undefined && !declares.has(name) && (isTyped || !isType)
  })
  for (const name of taken) prelude.used.add(name)
  if (taken.length === 0) return code
  return `${code}import { ${taken.join(', ')} } from ${JSON.stringify(prelude.file.replace('.d.ts', '.js'))}\n`
}

function namesAtTopOf(source: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  const add = (name: ts.Node | undefined): void => {
    if (name === undefined) return
    if (ts.isIdentifier(name)) names.add(name.text)
    else if (ts.isObjectBindingPattern(name) || ts.isArrayBindingPattern(name))
      for (const element of name.elements) if (ts.isBindingElement(element)) add(element.name)
  }
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) add(name)
    } else if (ts.isImportDeclaration(statement)) {
      const clause = statement.importClause
      add(clause?.name)
      const bindings = clause?.namedBindings
      if (bindings !== undefined && ts.isNamespaceImport(bindings)) add(bindings.name)
      if (bindings !== undefined && ts.isNamedImports(bindings))
        for (const { name } of bindings.elements) add(name)
    } else if ('name' in statement) add(statement.name as ts.Node)
  }
  return names
}

/** The identifiers that stand for a variable or a type: neither properties nor keys. */
function identifiersOf(source: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isMember(node)) names.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

function isMember(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  return ts.isPropertyAssignment(parent) && parent.name === node
}

/** The compiler's own host, which finds the scripts, too. */
function hostWith(files: ReadonlyMap<string, { readonly text: string }>): ts.CompilerHost {
  const host = ts.createCompilerHost(OPTIONS)
  const { fileExists, readFile, getSourceFile, directoryExists } = host
  host.getCurrentDirectory = () => ROOT
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.readFile = (name) => files.get(name)?.text ?? readFile(name)
  host.directoryExists = (name) =>
    Array.from(files.keys()).some((file) => file.startsWith(`${name}/`)) || (directoryExists?.(name) ?? true)
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const text = files.get(name)?.text
    return text === undefined
      ? getSourceFile(name, languageVersion, ...rest)
      : ts.createSourceFile(name, text, languageVersion)
  }
  return host
}

function describe({ file, start, messageText, code }: ts.Diagnostic, script: Script | undefined): string {
  const text = `TS${code} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  if (file === undefined || start === undefined) return text
  const { line } = file.getLineAndCharacterOfPosition(start)
  const place = script === undefined ? `${file.fileName}:${line + 1}` : `${script.page}:${script.line + line}`
  return `${place}: ${text}`
}
