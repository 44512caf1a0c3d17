import { debug } from '../diagnostics.ts'
import { CometError, isCometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import type { Node } from '../node/node.ts'
import { messageOf } from '../util/is-error.ts'
import { type AnswerOf, COMMANDS, type CommandType, type RequestOf } from './cluster-commands.ts'

/**
 * Has one node carry out a command, which may be this one.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what the node threw
 */
export async function requestNode<T extends CommandType>(
  node: Node,
  nodeId: string,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>> {
  const command = { type, request }
  if (nodeId === node.id) return readAnswer(type, await node.handleCommand(command))
  try {
    return readAnswer(type, await node.controller.request(nodeId, command, node.options.commandTimeout))
  } catch (error) {
    debug('command %s to node %s failed: %j', type, nodeId, messageOf(error))
    throw error
  }
}

/**
 * Has the node that issued a sid carry out a command.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what the node threw
 */
export async function requestIssuer<T extends CommandType>(
  node: Node,
  sid: string,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>> {
  const issuer = issuerOf(sid)
  if (issuer === undefined) throw new CometError('NO_SUCH_SESSION')
  return await requestNode(node, issuer, type, request)
}

/**
 * Has the node that a session is on carry out a command. That is mostly the one that issued the sid; after a takeover
 * presence knows.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what the node threw
 */
export async function requestOwner<T extends CommandType>(
  node: Node,
  sid: string,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>> {
  if (node.registry.get(sid) !== undefined) return await requestNode(node, node.id, type, request)
  const issuer = issuerOf(sid)
  if (issuer === undefined) throw new CometError('NO_SUCH_SESSION')
  return await requestNode(node, (await node.presence.locate(sid)) ?? issuer, type, request)
}

/**
 * Has every node carry out a command, this one first.
 *
 * @returns the answers. A node that failed, or did not answer in time, is left out; so is a malformed answer, which is
 *   reported
 * @throws what this node threw
 */
export async function requestAll<T extends CommandType>(
  node: Node,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>[]> {
  const own = requestNode(node, node.id, type, request)
  const others = node.controller.broadcast({ type, request }, node.options.commandTimeout)
  const answers = [await own]
  for (const answer of await others) {
    try {
      answers.push(readAnswer(type, answer))
    } catch (error) {
      node.hooks.report(error)
    }
  }
  return answers
}

/** Gives an answer in place of the error that a session is gone: for the app that is no failure. */
export async function orIfGone<T>(request: Promise<T>, answer: T): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (isCometError(error) && error.code === 'NO_SUCH_SESSION') return answer
    throw error
  }
}

function readAnswer<T extends CommandType>(type: T, answer: unknown): AnswerOf<T> {
  return COMMANDS[type].answer(answer, `the answer to command ${type}`)
}
