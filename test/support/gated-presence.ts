import type { Presence } from '../../lib/index.ts'
import type { Gate } from './inbox.ts'

/** A presence whose answer to each new session waits at a gate. What was asked happens at once. */
export function gatedPresence(presence: Presence, gate: Gate): Presence {
  return {
    join(node) {
      const link = presence.join(node)
      return {
        ...link,
        connect: async (session, rooms) => {
          const admission = await link.connect(session, rooms)
          await gate.pass()
          return admission
        },
      }
    },
  }
}
