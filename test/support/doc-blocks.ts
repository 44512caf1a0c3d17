import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the repository, without a slash at the end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
  .replace(/[\\/]$/, '')
  .replaceAll('\\', '/')

/**
 * What an HTML comment in front of a code block says about it: `<!-- verb: group words… -->`.
 *
 * | comment | meaning |
 * | --- | --- |
 * | `run: express` | a whole program, `server.mjs`. Another name: `run: express app.js` |
 * | `page: express` | a page (html), or the script of one (js), that belongs to the program of this name |
 * | `page: express public/index.html /inbox` | the program serves it from this file, at this path (default: `/`) |
 * | `page: express,koa public/index.html` | the same for two programs |
 * | `file: express public/index.html` | another file of the program |
 * | `test: express app.test.js` | a file of the program that `node --test` runs |
 * | `try: express` | commands (sh) to type while the program runs |
 * | `not checked: the reason` | the block is not checked at all |
 */
export interface Mark {
  readonly verb: 'run' | 'page' | 'file' | 'test' | 'try' | 'not checked'
  /** The name that the blocks of one program share. For `not checked`: the reason. */
  readonly group: string
  readonly words: readonly string[]
}

/** A code block of a Markdown page. */
export interface Block {
  /** The path of the page, from the root. */
  readonly page: string
  /** The number of the first line of the code in the page. */
  readonly line: number
  /** What follows the fence: `js`, or the empty string. */
  readonly language: string
  readonly code: string
  readonly mark?: Mark
}

/** A script of a page, or a block that is one. */
export interface Script extends Block {
  /** The file that it is for the compiler, from the folder of all scripts of its page. */
  readonly file: string
}

const COMMENT = /^<!--\s*(.*?)\s*-->$/
const VERBS = /^(run|page|file|test|try|not checked):\s*(.+)$/

/** The pages whose blocks are checked. */
export function pagesOfDocs(): string[] {
  const docs = readdirSync(`${ROOT}/docs`, { recursive: true, encoding: 'utf8' })
  const pages = docs
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`)
  return ['README.md', ...pages.sort()]
}

export function readBlocks(page: string): Block[] {
  return blocksOf(page, readFileSync(`${ROOT}/${page}`, 'utf8'))
}

/** The code blocks of a Markdown text, also those in lists, with the marks in front of them. */
export function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split(/\r?\n/)
  let mark: Mark | undefined
  for (let index = 0; index < lines.length; index += 1) {
    const line = (lines[index] as string).trim()
    const fence = /^( *)(`{3,})([^`]*)$/.exec(lines[index] as string)
    if (fence === null) {
      const comment = COMMENT.exec(line)?.[1]
      if (comment !== undefined) mark = markOf(comment) ?? mark
      else if (line !== '') mark = undefined
      continue
    }
    const [, indent = '', ticks = '', language = ''] = fence
    const start = index + 1
    index = lines.findIndex((each, at) => at >= start && each.trim() === ticks)
    if (index === -1) throw new Error(`${page}:${start}: this block has no end`)
    const code = lines.slice(start, index).map((each) => each.replace(indent, ''))
    blocks.push({
      page,
      line: start + 1,
      language: language.trim(),
      code: `${code.join('\n')}\n`,
      ...(mark && { mark }),
    })
    mark = undefined
  }
  return blocks
}

function markOf(comment: string): Mark | undefined {
  const [, verb, rest = ''] = VERBS.exec(comment) ?? []
  if (verb === undefined) return undefined
  if (verb === 'not checked') return { verb, group: rest, words: [] }
  const [group = '', ...words] = rest.split(/\s+/)
  return { verb: verb as Mark['verb'], group, words }
}

/** The file name that a marked block has in the folder of its program, if it has one. */
export function fileOf({ mark, language }: Block): string | undefined {
  if (mark === undefined || mark.verb === 'try' || mark.verb === 'not checked') return undefined
  const name = mark.words.find((word) => !word.startsWith('/'))
  if (name !== undefined || mark.verb === 'page') return name
  if (mark.verb === 'run') return language === 'ts' ? 'server.mts' : 'server.mjs'
  throw new Error(`A mark names no file: ${mark.verb}: ${mark.group}`)
}

/** The scripts of a block: the block itself, or what its HTML has inline. */
export function scriptsOf(block: Block): Script[] {
  if (block.mark?.verb === 'not checked') return []
  const own = fileOf(block)
  const folder = own === undefined ? '' : `${block.mark?.group}/${own.replace(/[^/]*$/, '')}`
  if (/^(js|ts|jsx|tsx)$/.test(block.language)) {
    const type = block.language === 'js' && isCommonJs(block.code) ? 'cjs' : block.language
    const file = own?.replace(/^.*\//, '') ?? `line-${block.line}.${type}`
    return [{ ...block, file: folder + file }]
  }
  if (block.language !== 'html') return []
  return inlineScripts(block.code).map(({ code, line }) => ({
    ...block,
    code,
    line: block.line + line,
    file: `${folder}line-${block.line + line}.js`,
  }))
}

/** The inline scripts of a page, with the number of lines before each. */
export function inlineScripts(html: string): { readonly code: string; readonly line: number }[] {
  return Array.from(html.matchAll(/(<script\b[^>]*>)(.*?)<\/script>/gs), ({ index, 1: tag, 2: code }) => ({
    code: code as string,
    line: html.slice(0, index + (tag as string).length).split('\n').length - 1,
  })).filter(({ code }) => code.trim() !== '')
}

function isCommonJs(code: string): boolean {
  return /\brequire\(/.test(code) && !/^(import|export)\b/m.test(code)
}
