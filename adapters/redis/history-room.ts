/** What a node stores of the events: for how long, in milliseconds, and how many bytes. */
export interface HistorySettings {
  readonly age: number
  readonly bytes: number
}

/**
 * What the stream has room for at least, however short the histories are: it also carries events to nodes that lag. In
 * milliseconds, and in bytes.
 */
const LEAST = { age: 30_000, bytes: 4 * 1_048_576 } as const

/** Numbers up to this are exact in a script. */
const MOST = 1e14

/** What a node stores, as arguments of scripts. */
export function ownArguments({ age, bytes }: HistorySettings): readonly [age: string, bytes: string] {
  return [String(Math.min(Math.ceil(age), MOST)), String(Math.min(Math.ceil(bytes), MOST))]
}

/** What the stream has room for because of a node, as arguments of scripts. */
export function roomArguments({ age, bytes }: HistorySettings): readonly [age: string, bytes: string] {
  return ownArguments({ age: Math.max(age, LEAST.age), bytes: Math.max(bytes, LEAST.bytes) })
}
