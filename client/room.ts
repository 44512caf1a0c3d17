import type { Hears } from './core.ts'
import { createEmitter, type ListenerOptions } from './emitter.ts'
import { CometClientError } from './errors.ts'
import type { CometMessage } from './message.ts'
import { createDeferred, type Deferred } from './timing.ts'
import type { EventMap, Source } from './types.ts'

/** The state of a room. `left`: by the app, by the server, or never entered. */
export type RoomState = 'entering' | 'entered' | 'refused' | 'left'

/** A change of a room's state. */
export interface RoomStateChange {
  readonly state: RoomState
  readonly previous: RoomState
  /** Why it is `refused`. */
  readonly error?: CometClientError | undefined
}

/** Options of `client.room`. */
export interface RoomOptions {
  /**
   * The number of last events of the room that come when it is entered for the first time.
   *
   * @default 0 events
   */
  readonly recent?: number
}

/** A room that the client is in, was in, or wants to enter. It hears the events that were published to the room. */
export interface CometRoom<Events = EventMap> extends Source<Events> {
  readonly rid: string
  readonly state: RoomState
  /**
   * Settles when the room is entered.
   *
   * @throws CometClientError ROOM_REFUSED, TOO_MANY_ROOMS and others of the server; CLOSED when the client is closed, or
   *   the room is left, before
   */
  readonly entered: Promise<void>
  /** Adds a handler for changes of the state. @returns the function that ends it */
  onState(handler: (change: RoomStateChange) => void, options?: ListenerOptions): () => void
  /**
   * Leaves the room. What was said last counts: `client.room(rid)` enters it again.
   *
   * @returns settles when the server knows
   */
  leave(): Promise<void>
}

/** A room, with what the client knows of it. */
export interface RoomEntry extends Hears {
  readonly rid: string
  /** What the app gets. */
  readonly room: CometRoom
  /** Whether the app wants to be in it. */
  wanted: boolean
  /** Whether the session is in it. Undefined: a JOIN is on its way, or was given up on its way. */
  inside: boolean | undefined
  /** Whether the app has left it, and the server may not know. */
  leaving: boolean
  /** When the server has answered the latest LEAVE, in milliseconds since 1970. */
  leftAt: number
  /** Whether it was entered before: then it is in the URL, and past events are not asked for. */
  known: boolean
  /** Whether a packet for it waits. */
  queued: boolean
  recent: number
  /** The position since which a JOIN asks for its events. */
  since: string | undefined
  setState(state: RoomState, error?: CometClientError): void
  /** The session is not in it: the client has left, or never came in. @param error why it could not be left */
  markOutside(error?: CometClientError): void
  /** What the app said of leaving is over: it was done, or the app wants to be in it again. */
  endLeaving(error?: CometClientError): void
  /** The client is closed. */
  close(error: CometClientError): void
}

/** Makes a room. @param leave tells the server */
export function createRoom(rid: string, leave: (entry: RoomEntry) => void): RoomEntry {
  const events: Hears['events'] = createEmitter()
  const all: Hears['all'] = createEmitter()
  const changes = createEmitter<{ state: [RoomStateChange] }>()
  let state: RoomState = 'left'
  let refusal: CometClientError | undefined
  let entered = createDeferred()
  let left: Deferred | undefined
  const room: CometRoom = {
    rid,
    get state() {
      return state
    },
    get entered() {
      return state === 'refused' ? Promise.reject(refusal) : entered.promise
    },
    on: (event, handler, options) => events.add(event, handler as (message: CometMessage) => void, options),
    onText: (handler, options) => all.add('text', handler, options),
    onState: (handler, options) => changes.add('state', handler, options),
    async leave() {
      entry.wanted = false
      entry.setState('left')
      if (entry.inside === false) return
      entry.leaving = true
      left ??= createDeferred()
      const { promise } = left
      leave(entry)
      await promise
    },
  }
  const entry: RoomEntry = {
    rid,
    room,
    events,
    all,
    wanted: false,
    inside: false,
    leaving: false,
    leftAt: 0,
    known: false,
    queued: false,
    recent: 0,
    since: undefined,
    setState(next, error) {
      const previous = state
      if (next === previous) return
      state = next
      refusal = error
      if (next === 'entered') entered.resolve()
      else {
        entered.reject(error ?? new CometClientError('CLOSED', 'The room was left.'))
        entered = createDeferred()
      }
      changes.emit('state', { state, previous, error })
    },
    markOutside(error) {
      entry.inside = false
      entry.endLeaving(error)
    },
    endLeaving(error) {
      entry.leaving = false
      if (error) left?.reject(error)
      else left?.resolve()
      left = undefined
    },
    close(error) {
      entered.reject(error)
      entry.markOutside(error)
    },
  }
  return entry
}
