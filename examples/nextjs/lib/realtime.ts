import { Comet, CometError } from 'comet-sse'
import type { Events } from './events'

/** Next bundles this module more than once: for pages, routes and server actions. They share one Comet. */
const shared = globalThis as { comet?: Comet<Events> }
shared.comet ??= createComet()

/** The Comet of this process. Any page, route or server action may import it and publish. */
export const comet = shared.comet

function createComet(): Comet<Events> {
  const comet = new Comet<Events>({
    canEnter: ({ rid }) => rid === 'lobby',

    // Handles what a page sends: { event: 'say', data: { text } } as JSON. An error becomes the answer to the page.
    async onMessage({ uid: name, evt, session }) {
      if (!session.rooms.includes('lobby')) throw new CometError('FORBIDDEN', 'Enter the lobby first.')
      const { event, data } = parse(evt)
      const text = data?.text
      if (event !== 'say' || typeof text !== 'string' || text === '' || text.length > 1_000) {
        throw new CometError(
          'INVALID_FIELD',
          'Send { event: "say", data: { text } } with 1 to 1,000 characters.',
        )
      }
      await comet.publish({ rid: 'lobby', event: 'said', data: { name, text } })
    },
  })
  comet.on('enter', ({ rid, uid: name }) => comet.publish({ rid, event: 'came', data: { name } }))
  comet.on('leave', ({ rid, uid: name }) => comet.publish({ rid, event: 'went', data: { name } }))
  comet.on('error', console.error)
  return comet
}

function parse(evt: string): { event?: unknown; data?: { text?: unknown } } {
  try {
    return Object(JSON.parse(evt))
  } catch {
    throw new CometError('INVALID_JSON')
  }
}
