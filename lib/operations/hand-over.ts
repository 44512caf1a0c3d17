import type { Node } from '../node/node.ts'
import type { PreviousConnection } from '../ports/presence.ts'
import type { Session } from '../session/session.ts'
import { closeTakenOver } from './close.ts'
import { isGone, requestNode } from './cluster-calls.ts'
import type { AnswerOf, RequestOf } from './cluster-commands.ts'

/**
 * Takes over what the previous node of a session knows of its SENDs, so that a repeated one has no second effect. The
 * session's packets wait for it; its stream does not.
 *
 * It is lost when that node does not answer: it has ended, or was cut off.
 */
export function takeOverUplinks(
  node: Node,
  { uid, connection }: Session,
  sid: string,
  previous: PreviousConnection,
): void {
  if (previous.node === node.id) return
  const state = node.uplinkStates.of(sid)
  const fetch = async () => {
    const asked = { uid, sid, connection: previous.connection }
    try {
      const { answers, running } = await requestNode(node, previous.node, 'handOver', asked)
      for (const { id, answer } of answers) if (!state.answers.has(id)) state.remember(id, answer)
      for (const { id, node: nodeId } of running) state.noteRunning(id, nodeId)
    } catch (error) {
      if (!isGone(error)) node.ports.reportFailure('controller', error)
    }
  }
  state.adopt(connection, fetch())
}

/** Closes a connection that was taken over, and answers what this node knows of the session's SENDs. */
export async function handOver(
  node: Node,
  { uid, sid, connection }: RequestOf<'handOver'>,
): Promise<AnswerOf<'handOver'>> {
  closeTakenOver(node, { sid, connection })
  // The session may have come from another node just before: presence may not have answered this node yet, and that
  // other node may not have handed over.
  const newcomers = Array.from(node.newcomers.ofUser(uid))
  await newcomers.find(({ session }) => session.connection === connection)?.whenAdmitted()
  const state = node.uplinkStates.find(sid)
  if (state === undefined) return { answers: [], running: [] }
  await state.adopted(connection)
  const answers = Array.from(state.answers, ([id, answer]) => ({ id, answer }))
  const running = Array.from(state.runningElsewhere, ([id, nodeId]) => ({ id, node: nodeId }))
  if (state.running !== undefined) running.push({ id: state.running.id, node: node.id })
  return { answers, running }
}

/** Answers a SEND that ran on this node when its session was taken over. Not done: it failed, or is not known. */
export async function answerOfSend(
  node: Node,
  { sid, id }: RequestOf<'answerOf'>,
): Promise<AnswerOf<'answerOf'>> {
  const state = node.uplinkStates.find(sid)
  try {
    if (state?.running?.id === id) return { isDone: true, answer: await state.running.answer }
  } catch {
    return { isDone: false }
  }
  return state?.answers.has(id) ? { isDone: true, answer: state.answers.get(id) } : { isDone: false }
}
