type Method = (this: string, ...args: never[]) => unknown

/** The methods of strings that look at characters. Those that look at few, wherever these are, come first. */
const LOOKING = ['at', 'charAt', 'charCodeAt', 'codePointAt', 'endsWith', 'slice', 'startsWith', 'substring']
const SEARCHING = ['includes', 'indexOf', 'lastIndexOf', 'match', 'replace', 'replaceAll', 'search', 'split']

/**
 * Counts the characters that some work looks at through methods of strings. An engine stores a sum of strings as a rope,
 * and copies all of it when a character of it is looked at first: so each string counts in full once. A search counts
 * what it passes, each time. Not counted are indexes (`text[0]`) and regular expressions on the left (`/a/.test(text)`).
 */
export function countTextSteps(work: () => void): number {
  let steps = 0
  const seen = new Set<string>()
  const methods = String.prototype as unknown as Record<string, Method>
  const originals = new Map<string, Method>()
  for (const name of [...LOOKING, ...SEARCHING]) {
    const original = methods[name] as Method
    originals.set(name, original)
    methods[name] = function (...args) {
      const text = `${this}`
      const result = original.apply(text, args)
      if (!seen.has(text)) {
        seen.add(text)
        steps += text.length
      }
      if (LOOKING.includes(name)) steps += 1
      else steps += passed(text, name, args as unknown[], result)
      return result
    }
  }
  try {
    work()
  } finally {
    for (const [name, original] of originals) methods[name] = original
  }
  return steps
}

/** The number of characters that a search passes, from its start to what it found, or to the end. */
function passed(text: string, name: string, [, from]: unknown[], result: unknown): number {
  if (name !== 'indexOf') return text.length
  return (Number(result) < 0 ? text.length : Number(result) + 1) - (Number(from ?? 0) || 0)
}
