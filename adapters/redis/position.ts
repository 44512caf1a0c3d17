/** A place in the order: an event, or the end of an entry. */
export interface Place {
  readonly epoch: string
  /** The two numbers of the entry's id. */
  readonly ms: number
  readonly seq: number
  /** The place in the entry, from 0. */
  readonly index: number
}

/** The most events of an entry. {@link POSITION} has room for as many. */
export const MOST_EVENTS = 256

const POSITION = /^([\w-]{8})\.(0|[1-9]\d{0,14})-(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,2})$/
const LINK = /^(\d{1,15})-(\d{1,9})\.(\d{1,3})$/

/** Reads a position: `<epoch>.<entry id>.<index>`. @returns undefined for another text */
export function parsePosition(text: string): Place | undefined {
  const [, epoch, ms, seq, index] = POSITION.exec(text) ?? []
  if (epoch === undefined || Number(index) >= MOST_EVENTS) return undefined
  return { epoch, ms: Number(ms), seq: Number(seq), index: Number(index) }
}

/** Writes a position. */
export function formatPosition({ epoch, ms, seq, index }: Place): string {
  return `${epoch}.${ms}-${seq}.${index}`
}

/** Reads a place of an epoch as entries name it: `<entry id>.<index>`. */
export function parseLink(epoch: string, text: string): Place | undefined {
  const [, ms, seq, index] = LINK.exec(text) ?? []
  return ms === undefined ? undefined : { epoch, ms: Number(ms), seq: Number(seq), index: Number(index) }
}

/** Writes the id of the entry that a place is in. */
export function idOf({ ms, seq }: Place): string {
  return `${ms}-${seq}`
}

/** Compares two places of the same epoch, as for sort. */
export function comparePlaces(a: Place, b: Place): number {
  return a.ms - b.ms || a.seq - b.seq || a.index - b.index
}
