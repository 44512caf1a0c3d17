import type { Hub } from '../node/node.ts'
import { CLOSE_CODES, type CometCloseCode } from '../protocol/close-codes.ts'
import type { Session } from '../session/session.ts'
import { encodeControl } from '../stream/sse.ts'

/** Why a session ends. */
export interface CloseCause {
  readonly code: CometCloseCode
  /** Said to the client. Default: the code's meaning. */
  readonly reason?: string
  /** Whether the client should come back. Default: as the code says. */
  readonly reconnect?: boolean
}

/**
 * The one way a session ends, whatever ended it. Idempotent: only the first call counts.
 *
 * @returns settles when presence knows; false when the session had ended before
 */
export async function closeSession(hub: Hub, session: Session, cause: CloseCause): Promise<boolean> {
  const { code } = cause
  if (!session.close(code === 'GONE' ? undefined : farewell(hub, session, cause))) return false
  session.ended = code
  hub.registry.remove(session)
  hub.upkeep.remove(session)
  const mayComeBack = session.clientId !== undefined && (code === 'REPLACED' || CLOSE_CODES[code].grace)
  hub.uplinks.release(session.sid, mayComeBack ? hub.options.offlineGrace : 0)
  hub.closes[code] = (hub.closes[code] ?? 0) + 1
  await leavePresence(hub, session)
  return true
}

/** Lets presence know that a session it has heard of has ended. Idempotent. */
export async function leavePresence(hub: Hub, session: Session): Promise<void> {
  const { present, ended } = session
  if (!present || ended === undefined) return
  session.present = false
  try {
    await hub.presence.disconnect(session, CLOSE_CODES[ended].grace ? hub.options.offlineGrace : 0)
  } catch (error) {
    hub.hooks.report(error)
  }
}

/** The last frame. A client that should not come back gets a mark for an id, since EventSource comes all the same. */
function farewell(hub: Hub, session: Session, cause: CloseCause): Buffer {
  const { code, reason = CLOSE_CODES[code].meaning, reconnect = CLOSE_CODES[code].reconnect } = cause
  const data = { code, reason, reconnect }
  return encodeControl('close', data, {
    // By the connection and not the sid: it names this node, which can tell the mark.
    id: reconnect
      ? undefined
      : hub.marks.issue(code === 'REPLACED' ? 'replaced' : 'away', session.connection, session),
    // Nothing has said it yet to a client whose stream begins with its end.
    retry: session.opening ? hub.retry() : undefined,
  })
}

/** A connection whose session is on another one now. */
export interface Superseded {
  readonly sid: string
  readonly connection: string
}

/** Ends a connection that was superseded: presence is about the other one now. */
export function replaceSession(hub: Hub, { sid, connection }: Superseded): void {
  // Before it has taken over what it came for, it goes by its connection's id.
  for (const id of [connection, sid]) {
    const session = hub.registry.get(id)
    if (session?.connection !== connection) continue
    session.present = false
    closeSession(hub, session, { code: 'REPLACED' })
  }
}
