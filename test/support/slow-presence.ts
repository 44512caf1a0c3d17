import { setTimeout as sleep } from 'node:timers/promises'
import type { Presence } from '../../lib/index.ts'

/** A presence whose answers take their time, as those of one behind a network do; what was asked happens at once. */
export function answerLate(presence: Presence, delay: () => number): Presence {
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    const result = await answer
    await sleep(delay())
    return result
  }
  return {
    join: (node) => {
      const link = presence.join(node)
      return {
        ...link,
        connect: (session, rooms) => late(link.connect(session, rooms)),
        disconnect: (session, grace) => late(link.disconnect(session, grace)),
        enter: (hold, rid) => late(link.enter(hold, rid)),
        leave: (hold, rid) => late(link.leave(hold, rid)),
      }
    },
  }
}
