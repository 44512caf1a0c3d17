import type { GapEvent, ReadyEvent } from '../lib/protocol/control-events.ts'
import type { Emitter } from './emitter.ts'
import type { CometClientError } from './errors.ts'
import type { CometMessage, Origin } from './message.ts'
import type { CompleteOptions, HeadersReason } from './options.ts'
import type { Block } from './parser.ts'

/** The state of a client. `waiting`: without a connection, until its next attempt. */
export type ClientState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed'

/** A change of a client's state. */
export interface StateChange {
  readonly state: ClientState
  readonly previous: ClientState
  /** Why the client is `waiting` or `closed`. Undefined when the app, or the page, has done it. */
  readonly error?: CometClientError | undefined
  /** When the client connects again, in milliseconds since January 1, 1970 UTC. */
  readonly retryAt?: number | undefined
}

/** What `onReady` tells of a stream that has begun. */
export interface ReadyInfo {
  readonly uid: string
  readonly sid: string
  /** Whether nothing is missing since the stream before. False for the first one, unless it had a position. */
  readonly recovered: boolean
  /** Whether it is the first stream of this client, or of another user than before. */
  readonly first: boolean
}

/** A target whose events are missing. */
export type GapTarget = GapEvent['targets'][number]

/** Parameters of a URL. */
export type Parameters = readonly (readonly [string, string])[]

/** The requests of a client. Their promises reject as `fetch` and the function for headers do. */
export interface Requests {
  /** The URL for people and for keys: without query. */
  readonly name: string
  /** Asks for a stream. @param parameters is called when the request goes out */
  stream(parameters: () => Parameters, reason: HeadersReason, signal: AbortSignal): Promise<Response>
  /** Sends a packet to a session. */
  packet(sid: string, packet: object, signal: AbortSignal): Promise<Response>
  /** Sends a packet whose answer is of no interest. @returns its status, or undefined when it had none in time */
  tell(sid: string, packet: object): Promise<number | undefined>
  /** Sends a packet at once, with the latest headers: a page that is left has no time to be asked. */
  lastPacket(sid: string, packet: object): void
}

/** The position of the stream, and the events that were handed out: none is handed out twice. */
export interface Position {
  /** The position to resume from. */
  current(): string | undefined
  /** Moves on to the `id:` of a block. */
  moveTo(id: string): void
  /** Notes an event. @returns false when it was handed out before */
  isNew(position: string): boolean
  /** Stays at a position until it is released, or at an earlier one that it stays at already. */
  hold(position: string): void
  release(): void
  /** Begins anew, at a position that a former page has kept. */
  reset(latest?: string): void
}

/** Keeps one stream open. */
export interface Connection {
  /** The number of requests for a stream, so that an earlier one never takes over a later one (`&n=`). */
  count: number
  readonly state: ClientState
  /** The session, while its stream is open. */
  readonly session: ReadyEvent | undefined
  /** Opens a stream now, in place of the one that there is. */
  open(reason?: HeadersReason): void
  /** Ends the stream for good. */
  close(error?: CometClientError): void
  /** The page is frozen or left: its stream would get nothing more, and no error either. */
  suspend(): void
  /** The page or the network may be back. @param delay the time before the next attempt, in milliseconds */
  wake(delay?: number): void
  /** Asks whether the session is alive, and opens another stream if not. */
  probe(): void
  /** The server does not know a session any more. */
  onSessionGone(sid: string): void
}

/** A packet that waits for its turn. */
export interface Packet {
  /** Makes the packet when its turn has come. Undefined: it is not needed any more. */
  make(): object | undefined
  /** @param answer the JSON of the answer, or undefined */
  onDone(answer: unknown): void
  /** The server refused it, or all that waits was given up. */
  onFailed(error: CometClientError): void
  /** After so many milliseconds without an answer the request is made again. The server handles a packet once. */
  readonly patience: number
  /** Whether it fails, in place of waiting, without a connection. */
  readonly isVolatile?: boolean
}

/** Sends packets one after the other, each until it is answered. */
export interface Uplink {
  /** Adds a packet behind the others. */
  add(packet: Packet): void
  /** Adds packets before the others, when a session begins: what waits may be for the rooms that they enter. */
  addFirst(packets: readonly Packet[]): void
  /** Takes a packet out that nobody waits for any more. */
  remove(packet: Packet): void
  /** The connection is lost. The packet that is on its way is sent again by the next one, unless it is volatile. */
  onLost(): void
  /** Fails all packets. */
  clear(error: CometClientError): void
}

/** The rooms of a client: what the app wants, and what the server has told. Where they differ, a packet goes out. */
export interface Rooms {
  /**
   * Names the rooms in the URL of a request. A first one names all that want as many past events; a later one those that
   * were entered before.
   */
  parameters(position: string | undefined): Parameters
  /** A stream has begun. @param position the position that its request brought */
  onSession(ready: ReadyEvent, position: string | undefined): void
  /** The rooms of the latest request are refused. @returns false when it had none */
  onRefused(error: CometClientError): boolean
  /** A block with a position has come: what was asked for before it is complete. */
  onProgress(): void
  /** Hands out an event: to the client's handlers, and to those of its room. */
  deliver(block: Block): void
  /** The user has changed: nothing is left of the former one's rooms. @returns whether the latest request named any */
  reset(): boolean
  /** The client is closed. */
  close(error: CometClientError): void
}

/** The handlers of a client or room for events. */
export interface Hears {
  /** By the name of an event. */
  readonly events: Emitter<Record<string, [CometMessage]>>
  readonly all: Emitter<{ message: [CometMessage]; text: [string, Origin] }>
}

/** The parts of a client. They call each other, so each is made with all of them. */
export interface Core extends Hears {
  readonly options: CompleteOptions
  readonly debug: (line: string) => void
  readonly own: Emitter<{
    state: [StateChange]
    ready: [ReadyInfo]
    gap: [readonly GapTarget[]]
    error: [CometClientError]
  }>
  requests: Requests
  position: Position
  connection: Connection
  uplink: Uplink
  rooms: Rooms
  /**
   * A stream has begun: tells whether it is one of the same user.
   *
   * @param position the position that the request brought
   * @returns false when the client must begin anew, without anything of a former user
   */
  accept(uid: string, position: string | undefined): boolean
  /** The state has changed. */
  onState(change: StateChange): void
  /** Names the page. */
  clientId: string
}
