import type { Hub } from '../node/node.ts'
import { closeSession } from './close.ts'

/** How many sessions end together: few enough that their return is no burden. */
const WAVE = 50

/** Which part of the drain time the waves are spread over; the rest is for what is still to be sent. */
const SPREAD = 0.8

/**
 * Ends all sessions of a node, wave by wave.
 *
 * @param drain milliseconds it may take; a client that has not taken what it was sent by then is cut
 */
export async function endSessions(hub: Hub, drain: number): Promise<void> {
  const start = performance.now()
  const sessions = Array.from(hub.registry.all())
  const waves = Math.ceil(sessions.length / WAVE)
  const ended: Promise<unknown>[] = []
  for (let wave = 0; wave < waves; wave += 1) {
    // From the start: what the waves themselves take must not add up.
    if (wave > 0) await sleep(start + (drain * SPREAD * wave) / waves - performance.now())
    for (const session of sessions.slice(wave * WAVE, (wave + 1) * WAVE)) {
      ended.push(closeSession(hub, session, { code: 'SHUTDOWN' }))
    }
  }
  // A presence that does not answer must not hold the host up.
  await within(start + drain - performance.now(), Promise.all(ended))
  const rest = Math.max(0, start + drain - performance.now())
  await Promise.all(sessions.map((session) => session.gone(rest)))
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Settles with the promise, or when the time is over. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, over])
  clearTimeout(timer)
}
