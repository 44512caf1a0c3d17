import { CometError, isCometError } from '../errors.ts'
import type { Kept } from '../history/history-entry.ts'
import { type Hub, isExcepted } from '../node/node.ts'
import type { Session } from '../session/session.ts'
import type { Owed } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'

/**
 * Asks the host whether a client may enter a room: closed by default, and what throws does not open it. A CometError
 * is a no; anything else is a failure, after which the client may try again.
 */
export async function mayEnter(
  hub: Hub,
  session: Session,
  rid: string,
  info: unknown,
): Promise<{ allowed: boolean; failed: boolean }> {
  const { canEnter } = hub.options
  if (canEnter === undefined) return { allowed: false, failed: false }
  const { uid } = session
  try {
    const request = { uid, rid, session: session.toInfo(), ...(info === undefined ? {} : { info }) }
    return { allowed: (await canEnter(request)) === true, failed: false }
  } catch (error) {
    if (isCometError(error)) return { allowed: false, failed: false }
    hub.hooks.report(error)
    return { allowed: false, failed: true }
  }
}

/** The error for rooms that may not be entered; it names the option where that is the reason. */
export function refusal(hub: Hub, rids: readonly string[]): CometError {
  const why =
    hub.options.canEnter === undefined ? 'there is no option canEnter to allow it' : 'canEnter said no'
  return new CometError(
    'ROOM_REFUSED',
    `May not enter ${rids.map((rid) => JSON.stringify(rid)).join(', ')}: ${why}.`,
  )
}

/** The last events of rooms for a session that enters them anew. */
export function recentOf(hub: Hub, session: Session, rids: Iterable<string>, limit: number): Owed[] {
  if (limit <= 0) return []
  const events = Array.from(rids, (rid) => hub.backlog.recent({ rid }, limit)).flat()
  return pastOf(
    session,
    events.sort((a, b) => a.ordinal - b.ordinal),
  )
}

/** Events as part of the past: without an `id:`, which would set the client back to where they stand. */
export function pastOf(session: Session, events: readonly Kept[]): Owed[] {
  return events.filter(({ except }) => !isExcepted(session, except)).map((event) => new Past(event))
}

class Past implements Owed {
  readonly ordinal = 0
  readonly held = 0
  readonly #event: Kept

  constructor(event: Kept) {
    this.#event = event
  }

  get target(): Owed['target'] {
    return this.#event.target
  }

  get frame(): Buffer | undefined {
    return this.#event.isKept ? encodeBlock({ data: this.#event.evt }) : undefined
  }
}

/** The host or the client put a session into a room. @returns false when the session is gone */
export async function enterRoom(hub: Hub, session: Session, rid: string): Promise<boolean> {
  if (session.closed) return false
  if (session.rooms.has(rid)) return true
  // Routing first, in the same step: presence may take its time, and a leave that comes meanwhile must find it.
  hub.registry.enter(session, rid)
  if (session.anonymous) return true
  try {
    const entered = await hub.presence.enter(session, rid)
    if (!entered) hub.registry.leave(session, rid)
    return entered
  } catch (cause) {
    hub.registry.leave(session, rid)
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}

/**
 * @returns false when the session was not in the room by itself
 * @throws CometError NO_SUCH_SESSION when it is on another connection now, which is in the room still
 */
export async function leaveRoom(hub: Hub, session: Session, rid: string): Promise<boolean> {
  if (!hub.registry.leave(session, rid)) return false
  if (session.anonymous || (await hub.presence.leave(session, rid))) return true
  throw new CometError('NO_SUCH_SESSION')
}
