import { debug } from '../../lib/diagnostics.ts'
import { Fifo } from '../../lib/util/fifo.ts'
import { isObject } from '../../lib/util/is-object.ts'
import type { RawEntry } from './entry.ts'
import { comparePlaces, type Place, parseLink } from './position.ts'

/** A message from another node, or from this one. */
export type InboxMessage =
  | {
      /** The node that asks, and its number for the answer. */
      readonly from: string
      readonly ask: number
      readonly command: { readonly type: string }
    }
  | { readonly answer: number; readonly value?: unknown }
  | { readonly answer: number; readonly error: { readonly code: string; readonly message: string } }

/** The field of an entry without a message, which only ends the wait of a read. */
export const WAKE = 'wake'

interface Waiting {
  /** The end of the order when it was sent. */
  readonly after: Place
  /** The time after which it is void, on the clock of Redis. */
  readonly deadline: number
  readonly message: InboxMessage
}

/** Takes a message that arrived. Never throws. */
export type TakeMessage = (message: InboxMessage, deadline: number) => void

/**
 * What other nodes sent to this one. Each message waits until the events that were there when it was sent are
 * delivered, so that it comes after what its sender published before it.
 */
export class Inbox {
  readonly key: string
  readonly #take: TakeMessage
  readonly #waiting = new Fifo<Waiting>()
  /** The length of what was read and stands in Redis still. */
  untrimmed = 0
  #readAfter = '0-0'

  constructor(key: string, take: TakeMessage) {
    this.key = key
    this.#take = take
  }

  /** The id after which to read. */
  get readAfter(): string {
    return this.#readAfter
  }

  add(entries: readonly RawEntry[]): void {
    for (const [id, fields] of entries) {
      this.#readAfter = id
      for (const field of fields) this.untrimmed += field.length
      if (fields[0] === WAKE) continue
      const waiting = readMessage(fields)
      if (waiting === undefined) debug('entry %s of the inbox is malformed', id)
      else this.#waiting.push(waiting)
    }
  }

  /** Hands over what may be handled once events were delivered up to the cursor. */
  handOver(cursor: Place): void {
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (comparePlaces(next.after, cursor) > 0) return
      this.#waiting.shift()
      this.#take(next.message, next.deadline)
    }
  }
}

function readMessage(fields: readonly string[]): Waiting | undefined {
  let [link, deadline, data] = ['', '', '']
  for (let at = 0; at < fields.length; at += 2) {
    const value = fields[at + 1] ?? ''
    if (fields[at] === 'a') link = value
    else if (fields[at] === 't') deadline = value
    else if (fields[at] === 'd') data = value
  }
  const after = parseLink('', link)
  const message = parse(data)
  return after === undefined || message === undefined
    ? undefined
    : { after, deadline: Number(deadline), message }
}

function parse(data: string): InboxMessage | undefined {
  try {
    const message: unknown = JSON.parse(data)
    return isObject(message) && !Array.isArray(message) ? (message as InboxMessage) : undefined
  } catch {
    return undefined
  }
}
