import type { UserActivityEvent } from '../protocol/user-activity-event.ts'

/** A session, by the connection that it is on. */
export interface SessionConnection {
  readonly uid: string
  readonly sid: string
  /** What a connection that was takenOver says of the session counts no more: this tells them apart. */
  readonly connection: string
}

/** What keeps a user in a room: one of its sessions, or without `sid` its user-level membership. */
export type MembershipOwner = SessionConnection | { readonly uid: string; readonly sid?: never }

/** A connection that came. */
export interface PresenceSession {
  readonly uid: string
  /** Never used before; the session's sid, unless it takes over another. */
  readonly connection: string
  /** What others may see of the user; JSON. */
  readonly info?: unknown
  /** What the client calls itself over its connections. */
  readonly clientId?: string | undefined
}

/** What presence makes of a session that came. */
export interface Admission {
  /** Its sid: its connection's id, or the sid of the session it took over. */
  readonly sid: string
  /** The rooms it holds: those it came with, and those of the session it took over. */
  readonly rooms: readonly string[]
  /** The rooms of its user's membership, which it is in too. */
  readonly memberships: readonly string[]
  /** Where the session was that it took over, unless in grace: that connection is takenOver and is to be ended. */
  readonly previous?: { readonly node: string; readonly connection: string }
}

/** A user in a room. */
export interface Member {
  readonly uid: string
  /** What `identify` said others may see of the user, from its newest session. */
  readonly info?: unknown
}

/** What a presence needs to know of a node that joins it. */
export interface PresenceHandler {
  readonly id: string
  readonly namespace: string
  /**
   * Takes the transitions of one step, in order and with one time stamp. Called on one node only: the one
   * whose call caused them, before the promise of that call resolves; after a grace has run out, any node.
   * Never throws.
   */
  onActivity(events: readonly UserActivityEvent[]): void
}

/** One node's way to presence. Each method is one atomic step; steps take effect in the order of the calls. */
export interface PresenceConnection {
  /**
   * A session came, holding `rooms`. When there is a session, live or in grace, of the same user and `clientId`, it
   * takes that one over: its sid and holds.
   */
  connect(session: PresenceSession, rooms: readonly string[]): Promise<Admission>
  /**
   * A session went. It keeps its holds for `grace` milliseconds; 0 lets go of them at once. Nothing happens when the
   * connection was takenOver.
   */
  disconnect(session: SessionConnection, grace: number): Promise<void>
  /** Lets go of the sessions in grace that a target names: a user's, those in a room, or one. */
  endGrace(target: GraceTarget): Promise<void>
  /** @returns false when the holder is not there, or its connection was takenOver: nothing was held */
  enter(hold: MembershipOwner, rid: string): Promise<boolean>
  /**
   * Lets go of a session's hold, or without `sid` of every hold of the user.
   *
   * @returns false when there was none, or the session's connection was takenOver
   */
  leave(hold: MembershipOwner, rid: string): Promise<boolean>
  /** The node that a session is on, or was when its grace began; undefined when there is no such session. */
  locate(sid: string): Promise<string | undefined>
  /** True from ONLINE to OFFLINE, grace included. */
  isOnline(uid: string): Promise<boolean>
  /** The users in a room, in the order they entered it. */
  members(rid: string): Promise<Member[]>
  /** The number of users in a room. */
  count(rid: string): Promise<number>
  /** Leaves. What is in grace passes to the other nodes; where there is none, it ends. Idempotent. */
  close(): Promise<void>
}

/** Which sessions in grace are meant. */
export type GraceTarget = { readonly uid: string } | { readonly sid: string } | { readonly rid: string }

/**
 * Port: who is online and in which room, over all nodes of a namespace. It decides the transitions:
 *
 * - ONLINE with a user's first session, OFFLINE with the last one gone, its grace included;
 * - ENTER_ROOM with the first hold a user has on a room, LEAVE_ROOM with the last one gone;
 * - OFFLINE has the user's LEAVE_ROOMs right before it, and ends its user-level memberships.
 */
export interface Presence {
  join(node: PresenceHandler): PresenceConnection
}
