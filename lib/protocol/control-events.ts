import type { CometErrorCode } from '../error-table.ts'
import type { CometCloseCode } from './close-codes.ts'
import { parseObject } from './json.ts'

/**
 * The first event of a stream. Its `id:` is the position that the replay starts from, or the current one
 * when nothing is replayed.
 */
export interface ReadyEvent {
  /** The version of the control events. */
  readonly version: number
  /** The session's id, for the URL of packets: `POST <mount>/<sid>`. */
  readonly sid: string
  /** The connection's id, another one after each reconnect. For a BYE. */
  readonly connection: string
  readonly uid: string
  /** The rooms that the session is in. */
  readonly rooms: readonly string[]
  /** The rooms that the page asked for, or was in before, and may not enter. */
  readonly refused: readonly string[]
  /** Whether the page gets all that it missed. False for a new one. */
  readonly recovered: boolean
  /** The time between two heartbeats, in milliseconds. 0: there are none. */
  readonly heartbeat: number
}

/** Sent every `heartbeat` milliseconds. It has no content; its `id:` is the current position. */
export type HeartbeatEvent = Readonly<Record<string, never>>

/** Names targets whose events are lost for this page: it must load anew what it shows of them. */
export interface GapEvent {
  readonly targets: readonly (
    | { readonly uid: string }
    | { readonly rid: string }
    | { readonly sid: string }
    | { readonly world: true }
  )[]
}

/** The last block of a stream that the server ends. */
export interface CloseEvent {
  /** Why it ends. In a temporary answer: the code of the error. */
  readonly code: CometCloseCode | CometErrorCode
  /** The same for people. */
  readonly reason: string
  /** Whether the page should come back. False: stop the EventSource. */
  readonly reconnect: boolean
}

/** The data of the event that ends a `publishAll`. */
export type StreamEnd =
  | { readonly ok: true; readonly count: number }
  | { readonly ok: false; readonly code: CometErrorCode; readonly count: number }

/** The control events by name, each with its data. */
export interface ControlEvents {
  readonly 'comet.ready': ReadyEvent
  readonly 'comet.heartbeat': HeartbeatEvent
  readonly 'comet.gap': GapEvent
  readonly 'comet.close': CloseEvent
}

/**
 * Parses the data of a control event.
 *
 * @example
 * source.addEventListener('comet.ready', ({ data }) => {
 *   const { sid, rooms } = parseControlEvent('comet.ready', data)
 * })
 *
 * @throws CometError INVALID_JSON, INVALID_FIELD when the data is no JSON object, as only another server's can be
 */
export function parseControlEvent<Name extends keyof ControlEvents>(
  name: Name,
  data: string,
): ControlEvents[Name] {
  return parseObject(name, data).members as unknown as ControlEvents[Name]
}

/** The names that EventSource uses itself (WHATWG HTML, section 9.2). A listener could not tell them apart. */
const OWN_NAMES: readonly string[] = ['error', 'open', 'message']

/** Tells whether an event of an app cannot have a name. */
export function isReservedName(name: string): boolean {
  return OWN_NAMES.includes(name) || name.startsWith('comet.')
}
