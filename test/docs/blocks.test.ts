import { deepEqual, match, ok } from 'node:assert/strict'
import { built } from '../support/built.ts'
import { type Block, blocksOf, pagesOfDocs, readBlocks, scriptsOf } from '../support/doc-blocks.ts'
import { COMPILED, faultOf } from '../support/doc-syntax.ts'
import { type Compiled, compileScripts } from '../support/doc-types.ts'
import { scaled } from '../support/inbox.ts'

/** The blocks that are not checked, each as `page:line: reason`. Keep it empty where you can. */
const UNCHECKED: readonly string[] = []

/** A page that has one of each fault. It is compiled with the pages of the docs. */
const FAULTY = [
  '```js',
  "import { Comet } from 'comet-sse'",
  "new Comet({ historyEvent: 1 }).publish({ rid: 'a', event: 'b' })",
  'function implicit(any) { return any }',
  '```',
  '- In a list:',
  '  ```ts',
  '  let n: number = undeclared',
  '  const implicit = (any) => any',
  '  ```',
  '```html',
  '<p>',
  '<script>',
  '  const = 1',
  '</script>',
  '```',
].join('\n')

describe('The code blocks of README.md and docs/', function () {
  this.timeout(scaled(60_000))
  const pages = pagesOfDocs()
  const blocks = pages.flatMap(readBlocks)
  const scripts = blocks.flatMap(scriptsOf)
  let compiled: Compiled

  before(async () => {
    await built()
    compiled = compileScripts([...scripts, ...blocksOf('docs/faulty.md', FAULTY).flatMap(scriptsOf)])
  })

  const isFaulty = (error: string) => error.startsWith('docs/faulty.md:')

  it('compile against the built package', () => {
    deepEqual(
      compiled.errors.filter((error) => !isFaulty(error)),
      [],
    )
    ok(scripts.length > 10, `${scripts.length} scripts`)
  })

  it('are well-formed where they are no scripts', () => {
    deepEqual(
      blocks.map(faultOf).filter((fault) => fault !== undefined),
      [],
    )
  })

  it(`are all checked, except ${UNCHECKED.length}`, () => {
    const unchecked = blocks.filter(({ mark }) => mark?.verb === 'not checked')
    const place = ({ page, line, mark }: Block) => `${page}:${line}: ${mark?.group}`
    deepEqual(unchecked.map(place), UNCHECKED)
  })

  it('use every name of their preludes', () => {
    const unused = compiled.preludes.flatMap(({ page, unused }) => unused.map((name) => `${page}: ${name}`))
    deepEqual(unused, [])
  })

  it('would not compile with a mistake: each is found, at its line', () => {
    const found = compiled.errors.filter(isFaulty).map((error) => error.slice('docs/faulty.md:'.length))
    const [option, undeclared, implicit, ...syntax] = found
    match(String(option), /^3: TS\d+ .*historyEvent/)
    match(String(undeclared), /^8: TS2304 .*undeclared/)
    match(String(implicit), /^9: TS7006/)
    ok(syntax.length > 0 && syntax.every((error) => error.startsWith('14: ')), syntax.join('\n'))
  })
})

describe('A code block', () => {
  const only = (text: string) => blocksOf('page.md', text)[0] as Block
  const wrong: Record<string, string> = {
    json: '{ a: 1 }',
    go: 'func main() { f(")"}',
    nginx: 'location / {\n  proxy_pass http://a\n}',
    html: '<ul><li></ul></div>',
    sh: 'if true',
    cobol: 'STOP RUN.',
  }
  for (const [language, code] of Object.entries(wrong)) {
    it(`of ${language} that is malformed is found`, () => {
      match(
        String(faultOf(only(`\`\`\`${language}\n${code}\n\`\`\``))),
        new RegExp(`^page.md:2: ${language}: `),
      )
    })
  }

  it('has the mark in front of it', () => {
    deepEqual(only('<!-- run: a -->\n\n```js\n1\n```').mark, { verb: 'run', group: 'a', words: [] })
    deepEqual(only('<!-- page: a b.html /c -->\n```html\n```').mark?.words, ['b.html', '/c'])
    deepEqual(only('<!-- run: a -->\n\nText.\n\n```js\n1\n```').mark, undefined)
    deepEqual(only('<!-- not checked: it is half a line -->\n```js\n(\n```').mark?.group, 'it is half a line')
  })

  it('of a language that is compiled has no other check', () => {
    for (const language of COMPILED) deepEqual(faultOf(only(`\`\`\`${language}\n(\n\`\`\``)), undefined)
  })
})
