import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Session } from '../session/session.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkOptions } from '../util/known-keys.ts'
import { closeSession } from './close.ts'
import { orIfGone, requestAll, requestOwner } from './cluster-calls.ts'
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

/** Disconnects sessions on all nodes, those in grace included. @returns how many streams were ended */
export async function disconnect(
  node: Node,
  target: SessionTarget,
  options: DisconnectOptions,
): Promise<number> {
  const request = { target, options }
  const counts =
    'sid' in target
      ? [await orIfGone(requestOwner(node, target.sid, 'disconnect', request), 0)]
      : await requestAll(node, 'disconnect', request)
  await node.presence.endGrace(target)
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Disconnects the sessions of a target on this node. @returns how many streams were ended */
export async function disconnectHere(
  node: Node,
  { target, options }: RequestOf<'disconnect'>,
): Promise<number> {
  const ends = Array.from(sessionsOf(node, target), (session) =>
    closeSession(node, session, { ...options, code: 'DISCONNECTED' }),
  )
  return (await Promise.all(ends)).filter(Boolean).length
}

function* sessionsOf({ registry, connecting }: Node, target: SessionTarget): Iterable<Session> {
  if ('uid' in target) {
    yield* registry.ofUser(target.uid)
    // A client that was identified before the call, and is not registered yet, must not slip through.
    for (const session of connecting) if (session.uid === target.uid && !session.clientGone) yield session
  } else if ('rid' in target) {
    yield* registry.inRoom(target.rid)
  } else {
    const session = registry.get(target.sid)
    if (session !== undefined) yield session
  }
}
