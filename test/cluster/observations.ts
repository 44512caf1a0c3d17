import type { UserActivityEvent } from '../../lib/index.ts'

/** The time of this machine, in milliseconds. All its processes have the same, and setting the clock does not move it. */
export function timeNow(): number {
  return performance.timeOrigin + performance.now()
}

/** What a node saw, in the order in which it saw it. `at` is {@link timeNow}. */
export type Report = { readonly at: number } & (
  | { readonly is: 'deliver' | 'restore'; readonly position: string; readonly n: number }
  | { readonly is: 'begin'; readonly position: string }
  /** The outcome of a `publish`: without a code it was taken. */
  | { readonly is: 'published'; readonly n: number; readonly code?: string }
  | ({ readonly is: 'activity' } & Transition)
  | { readonly is: 'message'; readonly uid: string; readonly evt: string }
  | { readonly is: 'status'; readonly port: string; readonly up: boolean; readonly rejected?: number }
  | { readonly is: 'error'; readonly code: string; readonly text: string }
)

/** A transition of presence, as hooks and the record have it. */
export interface Transition {
  readonly type: UserActivityEvent.Type
  readonly uid: string
  /** Empty for ONLINE and OFFLINE. */
  readonly rid: string
  /** In nanoseconds, as text. */
  readonly time: string
}

/** An entry of the record: the transitions of one step. */
export interface Step {
  readonly transitions: readonly Transition[]
  /** Whether hooks hear of it. They do not of what they heard before the store lost it. */
  readonly isSaid: boolean
}

/** One run of a node's process. */
export interface ObservedNode {
  readonly name: string
  readonly activity: 'local' | 'cluster'
  readonly log: readonly Report[]
  /** When it was killed. */
  readonly killedAt: number | undefined
}

/** The receivers of an event: one list, or none for the world. */
export interface To {
  readonly uid?: readonly string[]
  readonly rid?: readonly string[]
  readonly sid?: readonly string[]
}

/** An event that a node was asked to publish. Its text begins with `n`, which counts all events. */
export interface Published {
  readonly n: number
  readonly node: string
  readonly at: number
  readonly to: To
  /** The users that it passes over. */
  readonly except: readonly string[]
  readonly transient: boolean
}

/** What a page was sent, in order. */
export type Item =
  /** `isEarly`: it came before `comet.ready`. */
  | { readonly at: number; readonly n: number; readonly position: string; readonly isEarly: boolean }
  /**
   * Names the targets as `user alice`, `room den`, `session s1` or `world`. `isNew`: the page had no position to bring, as
   * when its first stream broke before it began.
   */
  | { readonly at: number; readonly gap: readonly string[]; readonly isNew: boolean }

/**
 * When a page was in a room. Between two calls that put it there and take it out nobody can tell, so there are a time
 * from which and up to which it was there for certain, and one from which on it certainly was not.
 */
export interface Stay {
  readonly rid: string
  /** Whether its user is in the room, so that all its pages are, also one on a node that is late. */
  readonly isOfUser: boolean
  /** Infinity: it was never there for certain. */
  from: number
  to: number
  until: number
}

/** A page, over all its connections. */
export interface ObservedPage {
  readonly uid: string
  readonly items: readonly Item[]
  /** The sids that it was given. */
  readonly sids: ReadonlySet<string>
  readonly stays: readonly Stay[]
  /** When its first stream was there: from then on it must get everything. */
  readonly since: number
  /** When it first asked for a stream. */
  readonly askedAt: number
  /** Whether it is connected, and has got all that there is. */
  readonly isCaughtUp: boolean
}

/** The state of a user when all is calm. */
export interface OnlineUser {
  readonly uid: string
  readonly rooms: readonly string[]
}

/** All that is known of a run. */
export interface Observations {
  readonly nodes: readonly ObservedNode[]
  readonly published: readonly Published[]
  readonly record: readonly Step[]
  readonly pages: readonly ObservedPage[]
  /** The users with an open session, and the rooms of these sessions. */
  readonly online: readonly OnlineUser[]
  /** When the store lost data. */
  readonly lostAt: readonly number[]
}
