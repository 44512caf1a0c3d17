import { CometError } from '../errors.ts'
import { newSecret } from '../ids.ts'
import type { Node } from '../node/node.ts'
import type { Session } from '../session/session.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkOptions } from '../util/known-keys.ts'
import { closeSession } from './close.ts'
import { orIfGone, reach, requestNodes, requestOwner, tellAll } from './cluster-calls.ts'
import type { DisconnectOptions, RequestOf, SessionTarget } from './cluster-commands.ts'

/**
 * Checks the options of `comet.disconnect`.
 *
 * @throws CometError INVALID_OPTION
 */
export function checkDisconnectOptions(options: unknown): DisconnectOptions {
  const { reason, reconnect } = checkOptions('The options of disconnect', options, ['reason', 'reconnect'])
  if (reason !== undefined && typeof reason !== 'string') throw wrong('reason', 'a string', reason)
  if (reconnect !== undefined && typeof reconnect !== 'boolean') {
    throw wrong('reconnect', 'a boolean', reconnect)
  }
  return { ...(reason === undefined ? {} : { reason }), ...(reconnect === undefined ? {} : { reconnect }) }
}

function wrong(name: string, expected: string, value: unknown): CometError {
  return new CometError('INVALID_OPTION', `Option ${name} must be ${expected}, not ${kindOf(value)}.`)
}

/**
 * Disconnects sessions on all nodes, those in grace included. All nodes are told, because a client that waits to be let in
 * is on a node that presence does not know; only those that have sessions of the target are asked how many they ended.
 *
 * @returns how many streams were ended
 */
export async function disconnect(
  node: Node,
  target: SessionTarget,
  options: DisconnectOptions,
): Promise<number> {
  // What the app has published comes first, whether it awaited that or not.
  const published = node.broker.published()
  if (published !== undefined) await published
  const call = newSecret()
  const request = { target, options, call }
  const counts =
    'sid' in target
      ? [await orIfGone(requestOwner(node, target.sid, 'disconnect', request), 0)]
      : await disconnectEverywhere(node, target, request)
  await reach(() => node.presence.endGrace(target))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function disconnectEverywhere(
  node: Node,
  target: Exclude<SessionTarget, { readonly sid: string }>,
  request: RequestOf<'disconnect'> & RequestOf<'disconnected'>,
): Promise<number[]> {
  const nodes = node.presence.nodesOf(target)
  // At once: a client that is banned must not stay until other nodes can be told.
  const own = disconnectHere(node, { ...request, call: undefined })
  own.catch(() => {})
  // Other nodes are told when presence has answered: then they end their sessions, and have none any more.
  await Promise.allSettled([nodes])
  await tellAll(node, 'disconnect', request)
  const others = (await reach(() => nodes)).filter((id) => id !== node.id)
  return [await own, ...(await requestNodes(node, others, 'disconnected', { call: request.call }))]
}

/**
 * Disconnects the sessions of a target on this node, and the connections that are taking them over.
 *
 * @returns how many streams were ended
 * @throws CometError NO_SUCH_SESSION when the target is a session that is not on this node
 */
export function disconnectHere(
  node: Node,
  { target, options, call }: RequestOf<'disconnect'>,
): Promise<number> {
  const { reason, reconnect } = options
  const cause = { code: 'DISCONNECTED', reason, reconnect } as const
  if ('uid' in target) node.disconnects.note(target.uid, options)
  const sessions = Array.from(sessionsOf(node, target))
  if ('sid' in target && sessions.length === 0) throw new CometError('NO_SUCH_SESSION')
  const ends = sessions.map(async (session) => {
    if (!(await closeSession(node, session, cause))) return 0
    if (!session.moved) return 1
    const { sid } = session
    const further = requestOwner(node, sid, 'disconnect', { target: { sid }, options, call })
    return 1 + (await orIfGone(further, 0))
  })
  const count = Promise.all(ends).then((each) => each.reduce((sum, ended) => sum + ended, 0))
  if (call !== undefined && !('sid' in target) && sessions.length > 0)
    node.disconnections.keep(call, count, node.options.commandTimeout)
  return count
}

function* sessionsOf({ registry, newcomers }: Node, target: SessionTarget): Iterable<Session> {
  if ('uid' in target) {
    yield* registry.ofUser(target.uid)
    // A client that was identified before the call, and is not registered yet, must not slip through.
    for (const { session } of newcomers.ofUser(target.uid)) if (!session.clientGone) yield session
  } else if ('rid' in target) {
    yield* registry.inRoom(target.rid)
  } else {
    const session = registry.get(target.sid)
    if (session !== undefined) yield session
  }
}
