import type { Packet } from '../protocol/packet.ts'
import {
  count,
  type Decoder,
  either,
  flag,
  json,
  list,
  nothing,
  object,
  optional,
  tagged,
  text,
} from '../util/decode.ts'

/** The sessions that a command is about: one, a user's, or all in a room. */
export type SessionTarget = { readonly sid: string } | { readonly uid: string } | { readonly rid: string }

/** Options of `comet.disconnect`. */
export interface DisconnectOptions {
  /**
   * The text that the client gets in `comet.close`.
   *
   * @default 'The server disconnected the client.'
   */
  readonly reason?: string
  /**
   * Whether the client should reconnect by itself.
   *
   * @default false
   */
  readonly reconnect?: boolean
}

/** A checked packet, with the identity of the request that brought it. */
export interface IncomingPacket {
  readonly sid: string
  readonly uid: string
  readonly anonymous: boolean
  readonly info?: unknown
  readonly packet: Packet
}

/** A connection whose session is on another connection now. */
export interface TakenOver {
  readonly sid: string
  readonly connection: string
}

/** What the previous node of a session knows of its SENDs, by their ids. */
export interface HandedOver {
  /** Oldest first. A SEND without an answer has none here. */
  readonly answers: readonly { readonly id: string; readonly answer?: string | undefined }[]
  /** Those that still run, and the node of each: it may have been taken over from another one. */
  readonly running: readonly { readonly id: string; readonly node: string }[]
}

type SessionRoom = { readonly sid: string; readonly rid: string }
type UserRoom = { readonly uid: string; readonly rid: string }

/** Every command between nodes: its request, and its answer. All of it is JSON. */
export interface ClusterCommands {
  /** Handles a packet, on the node that owns the session. Answers the JSON text of `onMessage`'s answer. */
  readonly uplink: { readonly request: IncomingPacket; readonly answer: string | undefined }
  /** Puts a session into a room, for the app. Answers true. */
  readonly enter: { readonly request: SessionRoom; readonly answer: boolean }
  /** Takes a session out of a room. Answers false when it was not in the room by itself. */
  readonly leave: { readonly request: SessionRoom; readonly answer: boolean }
  /** Tells that a user has become a member of a room. Presence knows already. Told to all, too. */
  readonly enterUser: { readonly request: UserRoom; readonly answer: undefined }
  /** Tells that a user and all its sessions were taken out of a room. Presence knows already. */
  readonly leaveUser: { readonly request: UserRoom; readonly answer: undefined }
  /**
   * Told to all: the user was taken out of a room. For its clients that wait to be let in, which presence does not know,
   * and for nodes that cannot be asked now.
   */
  readonly voidGrants: { readonly request: UserRoom; readonly answer: undefined }
  /** Closes a connection that was taken over, and asks for the answers to its latest SENDs, and for those that still run. */
  readonly handOver: { readonly request: TakenOver & { readonly uid: string }; readonly answer: HandedOver }
  /** Asks for the answer to a SEND that ran when its session was taken over. */
  readonly answerOf: {
    readonly request: { readonly sid: string; readonly id: string }
    readonly answer: { readonly isDone: boolean; readonly answer?: string | undefined }
  }
  /**
   * Disconnects the sessions of a target that are on the node. Answers how many streams were ended. Told to all, with a
   * `call` by which {@link ClusterCommands.disconnected} asks for this number; a Publisher, which does not ask, has none.
   */
  readonly disconnect: {
    readonly request: {
      readonly target: SessionTarget
      readonly options: DisconnectOptions
      readonly call?: string | undefined
    }
    readonly answer: number
  }
  /** Asks how many streams a node ended for a `disconnect` that all nodes were told. */
  readonly disconnected: { readonly request: { readonly call: string }; readonly answer: number }
}

/** The name of a command. */
export type CommandType = keyof ClusterCommands
/** The request of a command. */
export type RequestOf<T extends CommandType> = ClusterCommands[T]['request']
/** The answer to a command. */
export type AnswerOf<T extends CommandType> = ClusterCommands[T]['answer']

const sessionRoom = object({ sid: text, rid: text })
const userRoom = object({ uid: text, rid: text })
const packet = tagged({
  HB: {},
  JOIN: { rid: text, since: text, recent: count },
  LEAVE: { rid: text },
  SEND: { evt: text, id: text },
  BYE: { connection: text },
})

/** The checks of requests, where they are handled, and of answers, where they were asked for. */
export const COMMANDS: {
  readonly [T in CommandType]: {
    readonly request: Decoder<RequestOf<T>>
    readonly answer: Decoder<AnswerOf<T>>
  }
} = {
  uplink: {
    request: object({ sid: text, uid: text, anonymous: flag, info: json, packet }),
    answer: optional(text),
  },
  enter: { request: sessionRoom, answer: flag },
  leave: { request: sessionRoom, answer: flag },
  enterUser: { request: userRoom, answer: nothing },
  leaveUser: { request: userRoom, answer: nothing },
  voidGrants: { request: userRoom, answer: nothing },
  handOver: {
    request: object({ sid: text, connection: text, uid: text }),
    answer: object({
      answers: list(object({ id: text, answer: optional(text) })),
      running: list(object({ id: text, node: text })),
    }),
  },
  answerOf: {
    request: object({ sid: text, id: text }),
    answer: object({ isDone: flag, answer: optional(text) }),
  },
  disconnect: {
    request: object({
      target: either<SessionTarget>(object({ sid: text }), object({ uid: text }), object({ rid: text })),
      options: object({ reason: optional(text), reconnect: optional(flag) }),
      call: optional(text),
    }),
    answer: count,
  },
  disconnected: { request: object({ call: text }), answer: count },
}
