import { equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'

/** Reads the first code block of a language from a document. @param path from the root of the repository */
export function blockOf(path: string, language: string): string {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  const block = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(text)?.[1]
  ok(block !== undefined, `${path} has no block ${language}`)
  return block
}

/** Replaces texts, each of which must be there once. */
export function replaced(text: string, pairs: Readonly<Record<string, string>>): string {
  for (const [found, instead] of Object.entries(pairs)) {
    equal(text.split(found).length, 2, `Not there once: ${found}`)
    text = text.replace(found, () => instead)
  }
  return text
}
