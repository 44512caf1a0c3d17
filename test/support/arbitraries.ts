import fc from 'fast-check'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** Any int64. Its limits, and numbers that a double just cannot hold, are more frequent than by chance. */
export const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.constantFrom(INT64_MIN, INT64_MAX, 0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 1700000000123456789n),
)

/** Texts that are special in event streams, JSON or UTF-8. */
const AWKWARD = [
  ...['\r', '\n', '\r\n', '\0', '\ufeff', ' ', ':', ': ', 'data: ', 'event: x', 'id', 'retry: 1', '', 'é'],
  ...[
    '\u2028',
    '\u2029',
    '\u0085',
    '<',
    '&',
    '"',
    '\\',
    '\\u0041',
    '\u{1f600}',
    '\ud83d',
    '\ude00',
    '\ufffd',
  ],
]

/** Any text a JavaScript string can hold: not only well-formed Unicode, but also lone surrogates. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.array(fc.constantFrom(...AWKWARD), { maxLength: 12 }).map((parts) => parts.join('')),
)

/** JSON values in which a careless scanner finds a "time", or the end of the value, too early. */
const { decoy: decoyOrUnknown } = fc.letrec((tie) => ({
  decoy: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, 0, -1.5e-300, '"time":1', ',"time":2}', '\\', '\\"', '}{][,:', ''),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('decoy'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constant('time'), fc.string()), tie('decoy'), { maxKeys: 3 }),
  ),
}))
export const decoy = fc.oneof(decoyOrUnknown, fc.jsonValue())

/** A member of a JSON object. */
export type Member = readonly [key: string, value: unknown]

/** Picks a random value: what `fc.gen()` generates. */
type Pick = fc.GeneratorValue

/** A number or a word that is written as it is. */
export class Literal {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const blank = () => fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '\n'), maxLength: 2 })

/** Writes a JSON object with random whitespace and escapes. */
export function writeObject(pick: Pick, members: readonly Member[]): string {
  const written = members.map(([key, value]) => {
    const name = `${pick(blank)}${writeString(pick, key)}${pick(blank)}`
    return `${name}:${pick(blank)}${write(pick, value)}${pick(blank)}`
  })
  return `${pick(blank)}{${written.length > 0 ? written.join(',') : pick(blank)}}${pick(blank)}`
}

function write(pick: Pick, value: unknown): string {
  if (value instanceof Literal) return value.text
  if (typeof value === 'string') return writeString(pick, value)
  if (Array.isArray(value)) return `[${value.map((each) => `${pick(blank)}${write(pick, each)}`).join(',')}]`
  if (typeof value === 'object' && value !== null) return writeObject(pick, Object.entries(value))
  return JSON.stringify(value)
}

/** Writes a string as JSON.stringify does, or with every character escaped. */
function writeString(pick: Pick, text: string): string {
  if (!pick(fc.boolean)) return JSON.stringify(text)
  const escaped = text.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `"${escaped.join('')}"`
}
