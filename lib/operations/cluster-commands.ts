import type { Packet } from '../protocol/packet.ts'
import type { StayAwayClient } from '../session/stay-away-token.ts'
import {
  count,
  type Decoder,
  either,
  flag,
  json,
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
  /** Tells that a user has become a member of a room. Presence knows already. */
  readonly enterUser: { readonly request: UserRoom; readonly answer: undefined }
  /** Tells that a user and all its sessions were taken out of a room. Presence knows already. */
  readonly leaveUser: { readonly request: UserRoom; readonly answer: undefined }
  /** Closes a connection that was taken over. */
  readonly closeTakenOver: { readonly request: TakenOver; readonly answer: undefined }
  /** Tells whether the node issued a stay-away token to a client. */
  readonly verify: {
    readonly request: { readonly token: string; readonly client: StayAwayClient }
    readonly answer: boolean
  }
  /** Tells whether a client with this `clientId` is connected to the node. */
  readonly serves: { readonly request: { readonly client: StayAwayClient }; readonly answer: boolean }
  /** Disconnects the sessions of a target on the node. Answers how many streams were ended. */
  readonly disconnect: {
    readonly request: { readonly target: SessionTarget; readonly options: DisconnectOptions }
    readonly answer: number
  }
}

/** The name of a command. */
export type CommandType = keyof ClusterCommands
/** The request of a command. */
export type RequestOf<T extends CommandType> = ClusterCommands[T]['request']
/** The answer to a command. */
export type AnswerOf<T extends CommandType> = ClusterCommands[T]['answer']

const sessionRoom = object({ sid: text, rid: text })
const userRoom = object({ uid: text, rid: text })
const client = object({ uid: text, anonymous: flag, clientId: optional(text) })
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
  closeTakenOver: { request: object({ sid: text, connection: text }), answer: nothing },
  verify: { request: object({ token: text, client }), answer: flag },
  serves: { request: object({ client }), answer: flag },
  disconnect: {
    request: object({
      target: either<SessionTarget>(object({ sid: text }), object({ uid: text }), object({ rid: text })),
      options: object({ reason: optional(text), reconnect: optional(flag) }),
    }),
    answer: count,
  },
}
