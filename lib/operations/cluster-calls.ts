import { debug } from '../diagnostics.ts'
import { CometError, isCometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import type { Node } from '../node/node.ts'
import type { Command } from '../ports/controller.ts'
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
  if (nodeId === node.id) return readAnswer(type, await node.handleCommand({ type, request }))
  try {
    const command = commandOf(node, type, request)
    return readAnswer(type, await node.controller.request(nodeId, command, node.options.commandTimeout))
  } catch (error) {
    debug('command %s to node %s failed: %j', type, nodeId, messageOf(error))
    throw error
  }
}

/** Makes a command, which says what this node has been delivered: it is carried out after that. */
function commandOf<T extends CommandType>(node: Node, type: T, request: RequestOf<T>): Command {
  return { type, request, from: node.id, after: node.position }
}

/** The number of nodes that are asked for a session, one after the other, while it moves from node to node. */
const MOST_OWNERS = 3

/**
 * Has the node that a session is on carry out a command. That is mostly the one that issued the sid; after a takeover
 * presence knows.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, UNAVAILABLE, or what the node threw
 */
export async function requestOwner<T extends CommandType>(
  node: Node,
  sid: string,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>> {
  let owner = node.registry.get(sid) === undefined ? undefined : node.id
  if (owner === undefined) {
    const issuer = issuerOf(sid)
    if (issuer === undefined) throw new CometError('NO_SUCH_SESSION')
    owner = (await reach(() => node.presence.locate(sid)))?.node ?? issuer
  }
  for (let asked = 1; ; asked += 1) {
    try {
      return await requestNode(node, owner, type, request)
    } catch (error) {
      if (!isGone(error) || asked === MOST_OWNERS) throw error
      // It may have been taken over on another node meanwhile.
      const found = await reach(() => node.presence.locate(sid))
      if (found === undefined || !found.connected || found.node === owner) throw error
      owner = found.node
    }
  }
}

/**
 * Has several nodes carry out a command, all at the same time.
 *
 * @returns the answers. A node that failed, or did not answer in time, is left out; so is a malformed answer, which is
 *   reported
 */
export async function requestNodes<T extends CommandType>(
  node: Node,
  nodeIds: Iterable<string>,
  type: T,
  request: RequestOf<T>,
): Promise<AnswerOf<T>[]> {
  const asked = Array.from(nodeIds, (nodeId) => requestNode(node, nodeId, type, request))
  const answers: AnswerOf<T>[] = []
  for (const result of await Promise.allSettled(asked)) {
    if (result.status === 'fulfilled') answers.push(result.value)
    else if (isCometError(result.reason) && result.reason.code === 'INTERNAL')
      node.hooks.report(result.reason)
  }
  return answers
}

/**
 * Tells every node a command, this one included. None answers.
 *
 * @returns settles when all nodes will carry it out
 * @throws CometError UNAVAILABLE
 */
export async function tellAll<T extends CommandType>(
  node: Node,
  type: T,
  request: RequestOf<T>,
): Promise<void> {
  await node.controller.tell(commandOf(node, type, request))
}

/** Gives an answer in place of the error that a session is gone: for the app that is no failure. */
export async function orIfGone<T>(request: Promise<T>, answer: T): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (isGone(error)) return answer
    throw error
  }
}

/** Tells whether a command failed because there is no such session. */
export function isGone(error: unknown): error is CometError {
  return isCometError(error) && error.code === 'NO_SUCH_SESSION'
}

/** Asks presence. @throws CometError UNAVAILABLE when it fails */
export async function reach<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}

function readAnswer<T extends CommandType>(type: T, answer: unknown): AnswerOf<T> {
  return COMMANDS[type].answer(answer, `the answer to command ${type}`)
}
