import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import type { StatusHandler } from './status.ts'

/** Names a session, and the connection that it is on now. */
export interface SessionConnection {
  readonly uid: string
  readonly sid: string
  /** Tells the connections of a session apart: after a takeover, calls for the previous connection have no effect. */
  readonly connection: string
}

/**
 * The owner of a membership: a session, or without `sid` a user. A user is in a room while it, or one of its sessions,
 * is a member.
 */
export type MembershipOwner = SessionConnection | { readonly uid: string; readonly sid?: never }

/**
 * Who let a session into a room: `identify`, which named it; the app by `canEnter`, for a client that asked by URL
 * (`?rid=`) or by JOIN; or the app by `comet.enter`.
 */
export type GrantedBy = 'identity' | 'url' | 'join' | 'app'

/** A room of a session, and who let it in. */
export interface SessionMembership {
  readonly rid: string
  readonly by: GrantedBy
}

/** A session that connects. */
export interface PresenceSession {
  readonly uid: string
  /** The connection's id, never used before. It becomes the sid, unless the session takes over another one. */
  readonly connection: string
  /** JSON about the user that other users may see. See {@link PresenceConnection.setInfo}. */
  readonly info?: unknown
  /** The name that the page gave itself (`?clientId=`), the same on all its connections. */
  readonly clientId?: string | undefined
  /** The position from which on the connection brings events. The takeover of the session learns it. */
  readonly start?: string | undefined
  /**
   * The page's own count of its requests (`?n=`), a whole number. A connection with a smaller one than that of the live
   * connection of its session is of an earlier request, and is not admitted.
   */
  readonly requestNumber?: number | undefined
}

/** The connection that a session was on before a takeover. */
export interface PreviousConnection {
  readonly node: string
  readonly connection: string
  /** The {@link PresenceSession.start} of that connection. */
  readonly start?: string | undefined
  /** The rooms that the session was a member of. */
  readonly rooms: readonly string[]
  /** Whether it was connected still, and must be closed. False: it was in grace. */
  readonly connected: boolean
}

/** The answer of presence to a session that connects. */
export interface Admission {
  /** The session's sid: the connection's id, or the sid of the session that it took over. */
  readonly sid: string
  /** The session's memberships: those it came with, and those of the session that it took over. */
  readonly rooms: readonly SessionMembership[]
  /** The rooms of its user's memberships. */
  readonly memberships: readonly string[]
  /** The connection that was taken over. Undefined when there was none. */
  readonly previous?: PreviousConnection
}

/** A session as presence knows it. */
export interface LocatedSession {
  readonly uid: string
  /** The node that the session is on, or was on when its grace began. */
  readonly node: string
  readonly connection: string
  /** False: the session is in grace. */
  readonly connected: boolean
}

/** A session of a node, from which presence can be restored. */
export interface RestorableSession extends PresenceSession {
  readonly sid: string
  readonly rooms: readonly SessionMembership[]
  /** The rooms of its user's memberships. */
  readonly memberships: readonly string[]
}

/** A user in a room. */
export interface Member<Info = unknown> {
  readonly uid: string
  /** What {@link PresenceConnection.setInfo} said of the user, else the `info` of its session that connected last. */
  readonly info?: Info
}

/** The users in a room, at one moment. */
export interface Members {
  /** The room's revision at that moment. See {@link RoomChange}. */
  readonly rev: string
  readonly members: readonly Member[]
}

/**
 * A change of a room's members. A list of them that is of the revision `r` is kept in step by every change with
 * `from <= r < rev`; another change shows that one is missing.
 *
 * Revisions are `<epoch>.<n>`, where `n` never goes back in the namespace. The epoch changes when presence lost data:
 * revisions of different epochs do not compare.
 */
export interface RoomChange {
  readonly rid: string
  readonly rev: string
  /** The room's revision before. */
  readonly from: string
  /** `'enter'` and `'leave'` come with the activity; `'info'` tells new `info` of a member. */
  readonly type: 'enter' | 'leave' | 'info'
  /** The member. Without `info` when it leaves. */
  readonly member: Member
}

/** The answer to a change of a user's memberships. */
export interface MembershipAnswer {
  /** Whether the owner was there, or had the membership that was to be ended. */
  readonly done: boolean
  /** The nodes that have a live session of the user. Empty when the owner is a session. */
  readonly nodes: readonly string[]
}

/** A page of the users in a room. */
export interface MemberPage {
  /** The last uid of the page before. Undefined: the first page. */
  readonly after?: string | undefined
  /** The most users of the page. */
  readonly limit: number
}

/** What a node implements and presence calls. The node passes it to {@link Presence.join}. */
export interface PresenceHandler extends StatusHandler {
  readonly id: string
  readonly namespace: string
  /** Whose transitions this node is told: those of its own calls, or those of all nodes. */
  readonly activity: 'local' | 'cluster'
  /** The time that a session of this node stays when the node is gone without a word, in milliseconds. */
  readonly grace: number
  /**
   * Takes the transitions of one step, in order and with one time stamp.
   *
   * Of `'local'` nodes exactly one is called: the node whose call caused the transitions, before that call's promise
   * resolves. When a grace ends, it may be any of them. A `'cluster'` node is called with all transitions, each once, in
   * one order, also those that were made while it was cut off. Never throws.
   */
  onActivity(events: readonly UserActivityEvent[]): void
  /**
   * Takes what the record has of all nodes, HEARDs included that presence was told of, for those outside the cluster. Of
   * the nodes that have this method one is called at a time, in the order of the record. Each transition is given once;
   * again when the call rejected, and when the node ended before presence knew that it was taken. A presence in memory
   * gives nothing again.
   */
  onRecord?: ((events: readonly UserActivityEvent[]) => Promise<void>) | undefined
  /** Takes a change of a room that this node watches, whichever node caused it. Never throws. */
  onRoomChange(change: RoomChange): void
  /** Lists the live sessions of this node that presence was told of, for a presence that lost them. */
  sessions(): Iterable<RestorableSession>
  /** Ends a session whose connection was taken over while this node was cut off. Never throws. */
  onSuperseded(session: SessionConnection): void
  /**
   * This node has brought back a user's own membership of a room, of which other nodes with sessions of the user may not
   * know. Never throws.
   */
  onMembershipRestored(uid: string, rid: string): void
}

/**
 * What presence implements and a node calls. Each method is one atomic step. The steps of one node take effect in the
 * order of its calls; their answers may come late, and in any order.
 */
export interface PresenceConnection {
  /**
   * Adds a session that is a member of `rooms`. It takes over the session of the same user and `clientId`, connected or
   * in grace, if there is one: its sid and memberships. Where it is a member already, see {@link enter}. Its `info` is
   * the user's from now on, unless {@link setInfo} was called since the user came online.
   *
   * @returns undefined when that session is connected by a later request of the page: both have a `requestNumber`, and
   *   the newcomer's is smaller. Nothing happened then
   */
  connect(session: PresenceSession, rooms: readonly SessionMembership[]): Promise<Admission | undefined>
  /**
   * Ends a connection. The session and its memberships stay for `grace` milliseconds; with 0 they end at once, also
   * those of a session in grace.
   *
   * @param describe tells what the session was, for a presence that finds that it lost it. Without it this node did not
   *   have it
   * @returns false when there was no such connection, or it was taken over; nothing happened then
   */
  disconnect(session: SessionConnection, grace: number, describe?: () => RestorableSession): Promise<boolean>
  /** Ends the grace of the sessions that a target names: a user's, those in a room, or one. */
  endGrace(target: GraceTarget): Promise<void>
  /**
   * Adds a membership. To one that is there nothing happens, but that `by` is the latest one. The app's stays the
   * app's.
   *
   * @param by who let the session in. For a user's own membership always `'app'`
   * @returns not done when the owner is not there, or its connection was taken over
   */
  enter(owner: MembershipOwner, rid: string, by: GrantedBy): Promise<MembershipAnswer>
  /**
   * Takes a session out of the room `rid`. Without `sid`: takes the user and all its sessions out of it.
   *
   * @returns not done when there was no membership, or the session's connection was taken over
   */
  leave(owner: MembershipOwner, rid: string): Promise<MembershipAnswer>
  /**
   * Changes the `info` of a user, until it goes OFFLINE: what `identify` answers meanwhile does not count.
   *
   * @returns false when the user is not online
   */
  setInfo(uid: string, info: unknown): Promise<boolean>
  /**
   * Tells who let the owner into a room.
   *
   * @returns undefined when it is no member, it is not there, or its connection was taken over
   */
  membership(owner: MembershipOwner, rid: string): Promise<GrantedBy | undefined>
  /**
   * Tells that a user was heard. The nodes with `'cluster'` activity are told, in the order of the transitions.
   *
   * @param time the time stamp of the HEARD, in nanoseconds since January 1, 1970 UTC. A transition before it may raise it
   */
  heard(uid: string, time: bigint): Promise<void>
  /** Finds a session, connected or in grace. @returns undefined when there is no such session */
  locate(sid: string): Promise<LocatedSession | undefined>
  /** Lists the nodes that have a live session of a user, or of a user in a room. */
  nodesOf(target: { readonly uid: string } | { readonly rid: string }): Promise<readonly string[]>
  /** Tells whether a user has a live session with a `clientId`. */
  serves(uid: string, clientId: string): Promise<boolean>
  /** Tells whether a user is between ONLINE and OFFLINE, grace included. */
  isOnline(uid: string): Promise<boolean>
  /** Lists the rooms that a user is in, in the order it entered. */
  roomsOf(uid: string): Promise<string[]>
  /**
   * Lists the users in a room, in the order they entered. With a `page`: some of them, in an order of their uids that
   * never changes, so that pages have each user once, whoever enters or leaves meanwhile.
   */
  members(rid: string, page?: MemberPage): Promise<Members>
  /** Counts the users in a room. */
  count(rid: string): Promise<number>
  /**
   * Starts to tell this node of the changes of a room.
   *
   * @returns settles with a function that ends it (idempotent), once every later change is told
   */
  watch(rid: string): Promise<() => void>
  /**
   * The secret of the namespace, the same for all nodes, with which they sign what clients and others bring back. Presence
   * makes another one only if it lost all of its data.
   *
   * @returns settles when presence was reached for the first time
   */
  secret(): Promise<string>
  /** Leaves. Sessions in grace pass to the other nodes; on the last node their grace ends. Idempotent. */
  close(): Promise<void>
}

/** The sessions in grace that a call is about. */
export type GraceTarget = { readonly uid: string } | { readonly sid: string } | { readonly rid: string }

/**
 * Port: knows who is online and in which room, over all nodes of a namespace. It decides the transitions:
 *
 * - ONLINE with a user's first session, OFFLINE when the last one is gone and its grace is over;
 * - ENTER_ROOM with a user's first membership of a room, LEAVE_ROOM when the last one is gone;
 * - OFFLINE has the user's LEAVE_ROOMs right before it, and ends the user's own memberships;
 * - a transition and the change of the room's revision are one step.
 */
export interface Presence {
  /** Connects a node. Called once for each node. */
  join(node: PresenceHandler): PresenceConnection
  /**
   * The secret of a namespace, for a Publisher, which does not join. See {@link PresenceConnection.secret}. Absent: a
   * Publisher cannot use a broker that asks for it.
   *
   * @throws what tells that presence cannot be reached (by rejecting)
   */
  secret?(namespace: string): Promise<string>
}
