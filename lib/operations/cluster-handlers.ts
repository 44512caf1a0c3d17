import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Command } from '../ports/controller.ts'
import type { StayAwayClient } from '../session/stay-away-token.ts'
import { closeTakenOver } from './close.ts'
import { type AnswerOf, COMMANDS, type CommandType, type RequestOf } from './cluster-commands.ts'
import { disconnectHere } from './disconnect.ts'
import { enterRoom, leaveRoom } from './rooms.ts'
import { receive } from './uplink.ts'

/** What this node does for each command. */
const HANDLERS: {
  readonly [T in CommandType]: (node: Node, request: RequestOf<T>) => AnswerOf<T> | Promise<AnswerOf<T>>
} = {
  uplink: receive,
  enter: (node, { sid, rid }) => {
    const session = node.registry.get(sid)
    return session === undefined ? false : enterRoom(node, session, rid)
  },
  leave: (node, { sid, rid }) => {
    const session = node.registry.get(sid)
    return session === undefined ? false : leaveRoom(node, session, rid)
  },
  enterUser: ({ registry }, { uid, rid }) => {
    registry.enterUser(uid, rid)
  },
  leaveUser: ({ registry }, { uid, rid }) => {
    registry.leaveUser(uid, rid)
  },
  closeTakenOver: (node, takenOver) => {
    closeTakenOver(node, takenOver)
  },
  verify: ({ stayAwayTokens }, { token, client }) => stayAwayTokens.verify(token, client),
  serves: (node, { client }) => serves(node, client),
  disconnect: disconnectHere,
}

/**
 * Carries out a command on this node.
 *
 * @returns the answer; JSON
 * @throws CometError INTERNAL when the command is not known or malformed, or what its handler threw
 */
export async function handleCommand(node: Node, { type, request }: Command): Promise<unknown> {
  if (!isCommandType(type)) throw new CometError('INTERNAL', `There is no command ${JSON.stringify(type)}.`)
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

function serves({ registry }: Node, { uid, clientId }: StayAwayClient): boolean {
  for (const session of registry.ofUser(uid)) {
    if (session.clientId === clientId && !session.clientGone) return true
  }
  return false
}
