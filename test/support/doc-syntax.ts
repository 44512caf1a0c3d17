import { execFileSync } from 'node:child_process'
import type { Block } from './doc-blocks.ts'
import { findProgram } from './requirements.ts'

/** How the blocks of a language are checked that the compiler does not know. */
const CHECKS: Readonly<Record<string, (code: string) => string | undefined>> = {
  // Texts: drawings, commands without a shell's syntax, output.
  '': () => undefined,
  text: () => undefined,
  http: () => undefined,
  go: checkGo,
  json: checkJson,
  nginx: checkNginx,
  html: checkHtml,
  sh: checkShell,
}

/** Languages that the compiler checks. */
export const COMPILED = ['js', 'ts', 'jsx', 'tsx']

/** @returns what is wrong with a block that is no script, with its page and line; undefined when nothing is */
export function faultOf(block: Block): string | undefined {
  if (block.mark?.verb === 'not checked' || COMPILED.includes(block.language)) return undefined
  const check = CHECKS[block.language]
  const fault = check === undefined ? 'there is no check for this language' : check(block.code)
  return fault && `${block.page}:${block.line}: ${block.language}: ${fault}`
}

function checkJson(code: string): string | undefined {
  try {
    JSON.parse(code)
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** Brackets pair, outside of strings. Only a Go compiler knows more. */
function checkGo(code: string): string | undefined {
  const open: string[] = []
  for (const [sign] of code.replace(/"(\\.|[^"\\])*"|\/\/.*/g, '').matchAll(/[([{}\])]/g)) {
    if ('([{'.includes(sign)) open.push(sign)
    else if (open.pop() !== { ')': '(', ']': '[', '}': '{' }[sign]) return `${sign} closes another bracket`
  }
  return open.length === 0 ? undefined : `${open[0]} has no end`
}

/** Each line of a configuration opens a block, closes one, or ends with a semicolon; and the blocks pair. */
function checkNginx(code: string): string | undefined {
  const lines = code.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const odd = lines.find((line) => line !== '' && !/[;{}]$/.test(line))
  if (odd !== undefined) return `this line has no end: ${odd}`
  const count = (sign: string) => code.split(sign).length
  return count('{') === count('}') ? undefined : 'the braces do not pair'
}

/** Elements without an end tag. */
const VOID = /^(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/i

/** Each element that is opened is closed, in order. The scripts in it go to the compiler. */
function checkHtml(code: string): string | undefined {
  const open: string[] = []
  const text = code.replace(/<!--.*?-->/gs, '').replace(/(<script\b[^>]*>).*?<\/script>/gs, '$1</script>')
  for (const [tag, end, name = ''] of text.matchAll(/<(\/?)([a-z][\w-]*)[^>]*>/gi)) {
    if (VOID.test(name) || tag.endsWith('/>')) continue
    if (end === '') open.push(name)
    else if (open.pop() !== name) return `${tag} closes another element`
  }
  // An end tag of these may be left out.
  const left = open.filter((name) => !/^(html|head|body|p|li)$/i.test(name))
  return left.length === 0 ? undefined : `<${left[0]}> has no end`
}

/** Has the shell read the commands, without running them. */
function checkShell(code: string): string | undefined {
  const bash = findProgram('bash')
  if (bash === undefined) return undefined
  try {
    execFileSync(bash, ['-n'], { input: code, stdio: ['pipe', 'ignore', 'pipe'], timeout: 10_000 })
    return undefined
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr ?? error)
  }
}
