import type { Presence } from '../../lib/index.ts'

/**
 * A presence whose answers come late, like those of one behind a network. What it is asked to do happens at once.
 *
 * @param delay called for each answer, which comes when the promise settles
 */
export function answerLate(presence: Presence, delay: () => Promise<unknown>): Presence {
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    const result = await answer
    await delay()
    return result
  }
  return {
    join: (node) => {
      const connection = presence.join(node)
      return {
        ...connection,
        connect: (session, rooms) => late(connection.connect(session, rooms)),
        disconnect: (session, grace, describe) => late(connection.disconnect(session, grace, describe)),
        enter: (owner, rid, by) => late(connection.enter(owner, rid, by)),
        leave: (owner, rid) => late(connection.leave(owner, rid)),
        membership: (owner, rid) => late(connection.membership(owner, rid)),
        locate: (sid) => late(connection.locate(sid)),
      }
    },
  }
}
