import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Newcomer } from '../session/newcomers.ts'
import type { Session } from '../session/session.ts'
import type { StayAwayClient, StayAwayToken } from '../session/stay-away-token.ts'
import { closeSession } from './close.ts'
import { reach } from './cluster-calls.ts'

/**
 * Tells whether a client that brings a stay-away token must stay away.
 *
 * After a takeover it must stay away only while the connection that took over is there: that may have been a request of
 * the client's own, given up long before it arrived.
 */
export async function mustStayAway(
  node: Node,
  { text, kind }: StayAwayToken,
  { uid, anonymous, clientId }: StayAwayClient,
): Promise<boolean> {
  if (!node.stayAwayTokens.verify(text, { uid, anonymous, clientId })) return false
  if (kind === 'away') return true
  if (anonymous || clientId === undefined) return false
  const here = Array.from(node.registry.ofUser(uid)).filter((session) => session.clientId === clientId)
  // What this node has itself, it knows better: presence may not have heard yet that the client has gone.
  if (here.length > 0) return here.some(({ clientGone }) => !clientGone)
  return await reach(() => node.presence.serves(uid, clientId))
}

/**
 * Adds a session to those that wait to be let in. A later request of the same page replaces an earlier one, and one
 * more than a user may have makes the user's oldest one wait somewhere else.
 *
 * @throws CometError TOO_MANY_SESSIONS; UNAVAILABLE when the node is full, or a later request of the same page is there
 */
export function addNewcomer(node: Node, session: Session): Newcomer {
  const { maxSessionsPerUser, onExcess } = node.options
  enforceSessionLimits(node, session)
  const waiting: Newcomer[] = []
  for (const newcomer of node.newcomers.ofUser(session.uid)) {
    // One that was turned away in this very turn is still among them.
    if (!newcomer.session.closed) waiting.push(newcomer)
  }
  for (const newcomer of waiting) refuseEarlier(node, session, newcomer.session)
  for (const other of node.registry.ofUser(session.uid)) {
    if (!other.clientGone) refuseEarlier(node, session, other)
  }
  const others = waiting.filter((newcomer) => !replaces(node, session, newcomer))
  if (others.length >= maxSessionsPerUser) {
    if (onExcess === 'reject') throw new CometError('TOO_MANY_SESSIONS')
    const oldest = others[0] as Newcomer
    turnAway(node, oldest, new CometError('UNAVAILABLE', 'The user opens too many streams at a time.'))
  }
  return node.newcomers.add(session)
}

function isSamePage(session: Session, other: Session): boolean {
  return session.clientId !== undefined && session.clientId === other.clientId
}

/** @throws CometError UNAVAILABLE for a request of the same page that is earlier than another one */
function refuseEarlier(node: Node, session: Session, other: Session): void {
  if (isSamePage(session, other) && isEarlier(node, session, other)) {
    throw laterRequestServed()
  }
}

/** Makes the answer to a request of a page that made a later one since. */
export function laterRequestServed(): CometError {
  return new CometError('UNAVAILABLE', 'A later request of this page was served.')
}

/**
 * Tells whether a page made a request before another one that it made, though it comes to be admitted later: `identify`
 * took longer, or a proxy has held it back. If both are numbered, the page's own count decides. Otherwise the order of
 * arrival does, and the position, which never goes back.
 */
function isEarlier({ broker }: Node, session: Session, other: Session): boolean {
  const byNumber = compareNumbers(session, other)
  if (byNumber !== 0) return byNumber < 0
  if (session.order < other.order) return true
  if (session.position === undefined || other.position === undefined) return false
  return (broker.compare(session.position, other.position) ?? 0) < 0
}

/** Compares what a page counted two of its requests as. @returns 0 when that does not tell which is the earlier one */
function compareNumbers({ requestNumber: a }: Session, { requestNumber: b }: Session): number {
  return a === undefined || b === undefined ? 0 : a - b
}

/** Closes the session of the same page that the app is asked about, unless the app answers in this turn. */
function replaces(node: Node, session: Session, waiting: Newcomer): boolean {
  if (!waiting.isAsked || !isSamePage(session, waiting.session)) return false
  setImmediate(() => {
    if (waiting.isAsked) closeSession(node, waiting.session, { code: 'TAKEN_OVER' })
  })
  return true
}

/** Tells whether a later request of the same page was let in while the app was asked about this one. */
export function wasTakenOver({ registry }: Node, session: Session): boolean {
  if (session.clientId === undefined) return false
  for (const other of registry.ofUser(session.uid)) {
    if (isSamePage(session, other) && (compareNumbers(session, other) || session.order - other.order) < 0)
      return true
  }
  return false
}

/** Ends the wait of a session: its request fails with the error. */
export function turnAway(node: Node, newcomer: Newcomer, error: CometError): void {
  newcomer.refusal = error
  // Not told by a stream: the request is still there to be answered.
  closeSession(node, newcomer.session, { code: 'GONE' })
}

/**
 * Checks the limits for one more session of its user and of the node.
 *
 * @throws CometError TOO_MANY_SESSIONS, UNAVAILABLE
 */
export function enforceSessionLimits(node: Node, session: Session): void {
  const { maxSessions, maxSessionsPerUser, onExcess } = node.options
  let takenOver = 0
  let live = 0
  for (const other of node.registry.ofUser(session.uid)) {
    // A session that this one takes over makes room by itself. Those that are not let in yet do not count.
    if (isSamePage(session, other)) takenOver += 1
    else if (!other.opening) live += 1
  }
  const excess = Math.max(0, live - maxSessionsPerUser + 1)
  if (excess > 0 && onExcess === 'reject') throw new CometError('TOO_MANY_SESSIONS')
  if (node.registry.sessionCount - takenOver - excess >= maxSessions)
    throw new CometError('UNAVAILABLE', 'The server is at capacity.')
}

/** Closes the oldest sessions of a user that has too many, now that one more was let in. */
export function evictExcess(node: Node, session: Session): void {
  const others: Session[] = []
  for (const other of node.registry.ofUser(session.uid)) {
    if (other !== session && !other.opening) others.push(other)
  }
  const excess = Math.max(0, others.length - node.options.maxSessionsPerUser + 1)
  for (const oldest of others.slice(0, excess)) closeSession(node, oldest, { code: 'EVICTED' })
}
