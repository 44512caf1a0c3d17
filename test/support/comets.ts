import { Comet, type CometOptions, type Identified } from '../../lib/index.ts'
import { show } from './activity-rules.ts'
import { MemoryTransport } from './memory-transport.ts'

const comets: Comet[] = []

/** An option for tests in which one user connects more often than any real one. */
export const ANY_RATE = { connectRate: 1_000_000_000 } as const

/** Makes a Comet that lets every client into every room and has no grace. `reported` collects its activity. */
export function makeComet(options: CometOptions = {}): { comet: Comet; reported: string[] } {
  const comet = new Comet({ canEnter: () => true, offlineGrace: 0, ...ANY_RATE, ...options })
  comets.push(comet)
  const reported: string[] = []
  comet.on('activity', (activity) => reported.push(show(activity)))
  return { comet, reported }
}

/** Closes all Comets of {@link makeComet}: for `afterEach`. */
export async function closeComets(): Promise<void> {
  await Promise.all(comets.splice(0).map((comet) => comet.close({ drain: 0 })))
}

/** Connects a client to a Comet, without HTTP. */
export async function connect(
  comet: Comet,
  identity: Identified,
  ...rids: string[]
): Promise<MemoryTransport> {
  const transport = new MemoryTransport()
  await comet.connect({ identity, transport, rids })
  return transport
}
