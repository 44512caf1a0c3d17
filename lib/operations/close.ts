import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import type { SessionInfo } from '../hooks/session-info.ts'
import type { Node } from '../node/node.ts'
import { restorableSession } from '../node/restorable-sessions.ts'
import type { RestorableSession } from '../ports/presence.ts'
import { CLOSE_CODES, type CometCloseCode } from '../protocol/close-codes.ts'
import type { Session } from '../session/session.ts'
import { encodeControl } from '../stream/sse.ts'
import { atMost } from '../util/at-most.ts'
import { wholeTime } from '../util/clock.ts'
import type { TakenOver } from './cluster-commands.ts'

/** Why a session ends. */
export interface CloseCause {
  readonly code: CometCloseCode
  /** The text that the client gets. Default: the meaning of the code. */
  readonly reason?: string | undefined
  /** Whether the client should reconnect by itself. Default: as the table of close codes says. */
  readonly reconnect?: boolean | undefined
  /** Whether a client that should not reconnect gets a stay-away token. Default: true. */
  readonly keepsAway?: boolean
}

/**
 * Ends a session. This is the one close path: whatever ends a session calls it. Idempotent: only the first call counts.
 *
 * Routing ends in this call, before anything asynchronous; presence is told after.
 *
 * @returns settles when presence knows; false when the session had ended before
 */
export async function closeSession(node: Node, session: Session, cause: CloseCause): Promise<boolean> {
  const { code, reconnect = CLOSE_CODES[code].reconnect } = cause
  const farewell = code === 'GONE' ? undefined : encodeFarewell(node, session, cause)
  if (!session.close(farewell, reconnect)) return false
  session.ended = code
  const info = node.hooks.has('disconnect') ? node.registry.infoOf(session) : undefined
  const memberships = node.registry.membershipsOf(session.uid)
  debug('session %s of %j closed: %s', session.sid, session.uid, code)
  if (node.registry.remove(session)) node.closes[code] = (node.closes[code] ?? 0) + 1
  node.newcomers.release(session)
  node.liveness.remove(session)
  const mayComeBack = session.clientId !== undefined && (code === 'TAKEN_OVER' || CLOSE_CODES[code].grace)
  node.uplinkStates.release(session.sid, mayComeBack ? uplinkGrace(node, code) : 0)
  if (info !== undefined) sayDisconnected(node, session, info)
  await leavePresence(node, session, () => restorableSession(session, memberships))
  // What was published to the session itself. On another connection it may still ask for it.
  if (!mayComeBack && !session.moved) node.history.forget({ sid: session.sid })
  return true
}

/** How long the answers to a session's SENDs are kept. The node that takes it over asks for them, also without a grace. */
function uplinkGrace({ options: { offlineGrace, commandTimeout } }: Node, code: CometCloseCode): number {
  return code === 'TAKEN_OVER' ? Math.max(offlineGrace, commandTimeout) : offlineGrace
}

function sayDisconnected({ sessionFeed }: Node, { connectedAt, ended }: Session, session: SessionInfo): void {
  if (connectedAt === undefined || ended === undefined) return
  sessionFeed.push([{ session, code: ended, duration: wholeTime() - connectedAt }])
}

/**
 * Tells presence that a session has ended. Does nothing for one that presence does not know. Idempotent.
 *
 * @param describe tells what it was when it ended
 */
export async function leavePresence(
  node: Node,
  session: Session,
  describe: () => RestorableSession,
): Promise<void> {
  const { present, ended } = session
  if (!present || ended === undefined) return
  session.present = false
  try {
    const grace = CLOSE_CODES[ended].grace ? node.options.offlineGrace : 0
    session.moved = !(await node.presence.disconnect(session, grace, describe))
  } catch (error) {
    node.ports.reportFailure('presence', error)
  }
}

/**
 * Encodes `comet.close`. A client that should stay away gets a token as its id, because EventSource reconnects
 * regardless.
 */
function encodeFarewell(node: Node, session: Session, cause: CloseCause): Buffer {
  const { code, reason = CLOSE_CODES[code].meaning, reconnect = CLOSE_CODES[code].reconnect } = cause
  const kind = code === 'TAKEN_OVER' ? 'takeover' : 'away'
  return encodeControl(
    'close',
    { code, reason, reconnect },
    {
      id:
        reconnect || cause.keepsAway === false
          ? undefined
          : node.stayAwayTokens.issue(kind, session.connection, session),
      // A client whose stream begins with its end has not been told yet.
      retry: session.opening ? node.reconnectDelay() : undefined,
    },
  )
}

/** Closes a connection that was taken over. Presence, which follows the new connection, is told as of any end. */
export function closeTakenOver(node: Node, { sid, connection }: TakenOver): void {
  // Until it has taken over a session itself, a connection is registered by its own id.
  for (const id of [connection, sid]) {
    const session = node.registry.get(id)
    if (session?.connection === connection) closeSession(node, session, { code: 'TAKEN_OVER' })
  }
}

/** The number of sessions that end together during a drain: few enough for their reconnects to be no burden. */
const WAVE = 50

/** The part of the drain time that the waves are spread over. The rest is for what is still to be sent. */
const SPREAD = 0.8

/**
 * Ends all sessions of a node, wave by wave.
 *
 * @param drain the time that it may take, in milliseconds. Then connections that have not read everything are cut
 */
export async function closeAllSessions(node: Node, drain: number): Promise<void> {
  const start = performance.now()
  // Pages that follow a run must be told of its end.
  if (node.runs.size > 0) await atMost(drain, endRuns(node))
  const sessions = Array.from(node.registry.all())
  const waves = Math.ceil(sessions.length / WAVE)
  const ended: Promise<unknown>[] = []
  for (let wave = 0; wave < waves; wave += 1) {
    // Counted from the start, so that the time of the waves themselves does not add up.
    if (wave > 0) await sleep(start + (drain * SPREAD * wave) / waves - performance.now())
    for (const session of sessions.slice(wave * WAVE, (wave + 1) * WAVE)) {
      ended.push(closeSession(node, session, { code: 'SHUTDOWN' }))
    }
  }
  // A presence that does not answer must not delay the app's own shutdown.
  await atMost(start + drain - performance.now(), Promise.all(ended))
  const rest = Math.max(0, start + drain - performance.now())
  await Promise.all(sessions.map((session) => session.whenGone(rest)))
}

async function endRuns({ runs }: Node): Promise<void> {
  for (const run of runs) run.fail(new CometError('SHUTTING_DOWN'))
  await Promise.all(Array.from(runs, ({ ended }) => ended))
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
