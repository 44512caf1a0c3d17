import type { Exclusion } from '../../lib/history/exclusion.ts'
import { History } from '../../lib/history/history.ts'
import type { Target } from '../../lib/protocol/target.ts'
import { encodeBlock, labelOf } from '../../lib/stream/sse.ts'

/** Positions of these histories are numbers; others are of another order. */
export function comparePositions(a: string, b: string): number | undefined {
  const difference = Number(a) - Number(b)
  return Number.isNaN(difference) ? undefined : difference
}

export function makeHistory(bounds: { readonly bytes?: number; readonly age?: number } = {}): History {
  return new History({ bytes: 1e9, age: 1e9, ...bounds }, comparePositions, '0')
}

/** The block of an event as the router encodes it. */
export function blockOf(target: Target, position: number, data: string): Buffer {
  return encodeBlock({ comment: labelOf(target), id: String(position), data })
}

/** What a test may say of an event. `events` and `age` are the limits of its targets. */
export interface Details {
  readonly events?: number
  readonly age?: number
  readonly exclusion?: Exclusion | undefined
}

/** Stores an event whose ordinal is its position, for one target or for several. */
export function append(
  history: History,
  target: Target | readonly Target[],
  position: number,
  data: string,
  { events = 1_000, age = 1e9, exclusion }: Details = {},
): number | undefined {
  const targets = [target].flat() as readonly Target[]
  const windows = targets.map((each) => ({ target: each, limits: { events, age } }))
  const block = blockOf(targets[0] ?? {}, position, data)
  return history.append(windows, block, { ordinal: position, position: String(position), exclusion })
}
