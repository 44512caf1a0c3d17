import type { UserActivityEvent } from './protocol/user-activity-event.ts'

/** What keeps a user in a room: one of its sessions, or without `sid` its user-level membership. */
export interface Hold {
  readonly uid: string
  readonly sid?: string
}

/** A session as presence knows it. */
export interface PresenceSession {
  readonly uid: string
  readonly sid: string
  /** What others may see of the user; JSON. */
  readonly info?: unknown
}

/** A user in a room. */
export interface Member {
  readonly uid: string
  /** What `identify` said others may see of the user, from its newest session. */
  readonly info?: unknown
}

/** What a presence needs to know of a node that joins it. */
export interface PresenceNode {
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
export interface PresenceLink {
  /**
   * A session came, holding `rooms`.
   *
   * @returns the rooms of the user's user-level membership, which the session is in too
   */
  connect(session: PresenceSession, rooms: readonly string[]): Promise<readonly string[]>
  /** A session went. It keeps its holds for `grace` milliseconds; 0 lets go of them at once. */
  disconnect(session: Required<Hold>, grace: number): Promise<void>
  /** Lets go of the sessions in grace that a target names: a user's, those in a room, or one. */
  endGrace(target: GraceTarget): Promise<void>
  /** @returns false when the holder is not there: nothing was held */
  enter(hold: Hold, rid: string): Promise<boolean>
  /** Lets go of a session's hold, or without `sid` of every hold of the user. @returns false when there was none */
  leave(hold: Hold, rid: string): Promise<boolean>
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
  join(node: PresenceNode): PresenceLink
}
