import { CLOSE_CODES, type CometCloseCode } from './codes.ts'
import type { Hub } from './hub.ts'
import type { Session } from './session.ts'
import { encodeControl } from './sse.ts'

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
  hub.registry.remove(session)
  hub.upkeep.remove(session)
  hub.closes[code] = (hub.closes[code] ?? 0) + 1
  await leavePresence(hub, session, code)
  return true
}

/**
 * Whether the same client has come again since. Presence was asked about the newer session then, or will be: the
 * older one has no say any more, whichever answer comes first.
 */
export function isSuperseded({ registry }: Hub, { uid, clientId, number }: Session): boolean {
  if (clientId === undefined) return false
  for (const other of registry.ofUser(uid)) {
    if (other.clientId === clientId && other.number > number) return true
  }
  return false
}

/** Lets presence know that a session it has heard of has ended. Idempotent. */
export async function leavePresence(hub: Hub, session: Session, code: CometCloseCode): Promise<void> {
  if (!session.present) return
  session.present = false
  if (isSuperseded(hub, session)) return
  try {
    await hub.presence.disconnect(session, CLOSE_CODES[code].grace ? hub.options.offlineGrace : 0)
  } catch (error) {
    hub.hooks.report(error)
  }
}

/** The last frame. A client that should not come back gets a mark for an id, since EventSource comes all the same. */
function farewell(hub: Hub, session: Session, cause: CloseCause): Buffer {
  const { code, reason = CLOSE_CODES[code].meaning, reconnect = CLOSE_CODES[code].reconnect } = cause
  const data = { code, reason, reconnect }
  return reconnect
    ? encodeControl('close', data)
    : encodeControl('close', data, { id: hub.marks.issue(session.sid, session) })
}

/** Ends a session whose sid another one has taken over: presence is about that one now. */
export function replaceSession(hub: Hub, sid: string): void {
  const session = hub.registry.get(sid)
  if (session === undefined) return
  session.present = false
  closeSession(hub, session, { code: 'REPLACED' })
}
