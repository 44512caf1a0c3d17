import type { Hub } from './hub.ts'
import type { Session } from './session.ts'
import { encodeControl } from './sse.ts'

interface CloseCode {
  /** What happened, in words: the default reason. */
  readonly meaning: string
  /** Whether the client should come back by itself. */
  readonly reconnect: boolean
  /** Whether the user is still counted as present for `offlineGrace`, because it may be back at once. */
  readonly grace: boolean
}

/** Every way a stream ends by its code, which `comet.close` carries where the client can still be told. */
export const CLOSE_CODES = {
  GONE: { meaning: 'The connection is gone.', reconnect: true, grace: true },
  BYE: { meaning: 'The client said BYE.', reconnect: false, grace: false },
  KICKED: { meaning: 'The server disconnected the client.', reconnect: false, grace: false },
  SHUTDOWN: { meaning: 'The server is shutting down.', reconnect: true, grace: true },
} as const satisfies Record<string, CloseCode>

/** A key of the table of close codes. */
export type CometCloseCode = keyof typeof CLOSE_CODES

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
  const { meaning, grace, ...table } = CLOSE_CODES[cause.code]
  const { code, reason = meaning, reconnect = table.reconnect } = cause
  const last = code === 'GONE' ? undefined : encodeControl('close', { code, reason, reconnect })
  if (!session.close(last)) return false
  hub.registry.remove(session)
  hub.heartbeat.remove(session)
  if (session.anonymous) return true
  try {
    await hub.presence.disconnect(session, grace ? hub.options.offlineGrace : 0)
  } catch (error) {
    hub.hooks.report(error)
  }
  return true
}
