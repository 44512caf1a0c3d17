import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Command } from '../ports/controller.ts'
import type { Session } from '../session/session.ts'
import { isGone, reach } from './cluster-calls.ts'
import {
  type AnswerOf,
  COMMANDS,
  type CommandType,
  type RequestOf,
  type SessionTarget,
} from './cluster-commands.ts'
import { disconnectHere } from './disconnect.ts'
import { answerOfSend, handOver } from './hand-over.ts'
import { enterRoom, followExpulsion, followLeave, followUser, leaveRoom } from './rooms.ts'
import { receive } from './uplink.ts'

/** What this node does for each command. */
const HANDLERS: {
  readonly [T in CommandType]: (node: Node, request: RequestOf<T>) => AnswerOf<T> | Promise<AnswerOf<T>>
} = {
  uplink: receive,
  enter: (node, { sid, rid }) =>
    onSession(node, sid, async (session) => {
      if (await enterRoom(node, session, rid, 'app')) return true
      throw new CometError('NO_SUCH_SESSION')
    }),
  leave: (node, { sid, rid }) => onSession(node, sid, (session) => leaveRoom(node, session, rid)),
  enterUser: async (node, { uid, rid }) => {
    await orPostpone(node, `enter\0${uid}\0${rid}`, () => followUser(node, uid, rid))
    return undefined
  },
  leaveUser: async (node, { uid, rid }) => {
    await followExpulsion(node, uid, rid)
    return undefined
  },
  handOver,
  answerOf: answerOfSend,
  voidGrants: async (node, { uid, rid }) => {
    await orPostpone(node, `leave\0${uid}\0${rid}`, () => followLeave(node, uid, rid))
    return undefined
  },
  disconnect: (node, request) => {
    // A Publisher has no presence that it could ask.
    if (request.call === undefined) endGrace(node, request.target)
    return disconnectHere(node, request)
  },
  disconnected: ({ disconnections }, { call }) => disconnections.take(call),
}

/**
 * Acts on a session of this node, for the app. A connection that is taking over the session has its sid only when
 * presence has answered, which is awaited then.
 *
 * @throws CometError NO_SUCH_SESSION when it is not on this node, or not any more
 */
async function onSession<T>(node: Node, sid: string, act: (session: Session) => Promise<T>): Promise<T> {
  try {
    const session = node.registry.get(sid)
    if (session !== undefined) return await act(session)
  } catch (error) {
    if (!isGone(error)) throw error
  }
  const successor = await successorOf(node, sid)
  if (successor === undefined) throw new CometError('NO_SUCH_SESSION')
  return await act(successor)
}

async function successorOf(node: Node, sid: string): Promise<Session | undefined> {
  const found = await reach(() => node.presence.locate(sid))
  if (found?.node !== node.id || !found.connected) return undefined
  for (const newcomer of node.newcomers.ofUser(found.uid)) {
    if (newcomer.session.connection === found.connection) await newcomer.whenAdmitted()
  }
  const session = node.registry.get(sid)
  return session?.connection === found.connection ? session : undefined
}

/**
 * Carries out a command on this node, after the events that its sender had before it.
 *
 * @returns the answer; JSON
 * @throws CometError INTERNAL when the command is not known or malformed, or what its handler threw
 */
export async function handleCommand(node: Node, { type, request, from, after }: Command): Promise<unknown> {
  if (!isCommandType(type)) throw new CometError('INTERNAL', `There is no command ${JSON.stringify(type)}.`)
  const { broker, position, options } = node
  const hasCome = typeof after !== 'string' || broker.compare(after, position) !== undefined
  const reach = hasCome ? undefined : () => broker.reach(after, options.commandTimeout)
  const turn = node.commandOrder.turnOf(String(from), reach)
  if (turn !== undefined) await turn
  return await run(node, type, request)
}

function isCommandType(type: string): type is CommandType {
  return Object.hasOwn(COMMANDS, type)
}

function run<T extends CommandType>(
  node: Node,
  type: T,
  request: unknown,
): AnswerOf<T> | Promise<AnswerOf<T>> {
  return HANDLERS[type](node, COMMANDS[type].request(request, `command ${type}`))
}

/** Does something, or where presence cannot be reached does it again when it can. @throws what failed */
async function orPostpone(node: Node, key: string, follow: () => Promise<void>): Promise<void> {
  try {
    await follow()
  } catch (error) {
    if (!node.closed) node.postponed.add(key, () => orPostpone(node, key, follow))
    throw error
  }
}

async function endGrace(node: Node, target: SessionTarget): Promise<void> {
  try {
    await node.presence.endGrace(target)
  } catch (error) {
    node.ports.reportFailure('presence', error)
  }
}
