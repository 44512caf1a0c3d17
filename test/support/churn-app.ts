import type { EventEmitter } from 'node:events'
import { adapterOf, identifyByHeader, startApp, type TestApp } from './apps.ts'
import { connect, startStream } from './clients.ts'
import { until } from './inbox.ts'

/** What is left of an app after many clients, half of which were cut off while they connected. */
export interface Churned {
  /** The clients that stayed, while they were there. */
  readonly stayed: { readonly connected: number; readonly sessions: number; readonly heard: number }
  /** When all clients are gone. */
  readonly left: {
    readonly sessions: number
    readonly users: number
    readonly rooms: number
    readonly sockets: number
  }
  /** How many more listeners there are than before. */
  readonly listeners: number
  /** How many more times users came online than they went offline. */
  readonly ghosts: number
  readonly errors: string[]
  readonly warnings: string[]
}

/** Where a client is when it is cut off. */
const STAGES = ['at once', 'identify', 'canEnter', 'head'] as const

const BATCH = 100

/** Run as a process of its own: `churn-app.ts <adapter> <clients>`. It must end by itself. */
const [name, count] = process.argv.slice(2)

const warnings: string[] = []
process.on('warning', (warning) => warnings.push(String(warning)))
const cuts = new Map<string, () => void>()
const app = await startApp(adapterOf(name), {
  identify: async (req) => {
    const uid = String(identifyByHeader(req))
    cut('identify', uid)
    await turn()
    return uid
  },
  comet: {
    canEnter: async ({ uid }) => {
      cut('canEnter', uid)
      await turn()
      return true
    },
    offlineGrace: 20,
  },
})
let ghosts = 0
app.comet.on('online', () => {
  ghosts += 1
})
app.comet.on('offline', () => {
  ghosts -= 1
})
const listenersBefore = listeners(app)
const churned: Churned = {
  stayed: await churn(app, Number(count)),
  left: await left(app),
  listeners: listeners(app) - listenersBefore,
  ghosts,
  errors: app.errors.map(String),
  warnings,
}
process.stdout.write(JSON.stringify(churned))
await app.close()

/** Half of the clients are cut off, each at one of the stages; the others stay until all have come. */
async function churn(at: TestApp, clients: number): Promise<Churned['stayed']> {
  const staying: Awaited<ReturnType<typeof connect>>[] = []
  for (let i = 0; i < clients; i += BATCH) {
    const batch = Array.from({ length: BATCH }, async (_, k) => {
      const path = `?rid=lobby&rid=room-${k % 10}`
      if (k % 2 === 0) staying.push(await connect(at, `user-${i + k}`, { path }))
      else await cutOff(at, `user-${i + k}`, path, STAGES[((k - 1) / 2) % STAGES.length])
    })
    await Promise.all(batch)
  }
  await until(() => at.comet.stats().sessions <= staying.length, 'those cut off are gone')
  const { sessions } = at.comet.stats()
  await at.comet.publish({ rid: 'lobby', evt: 'hi' })
  const heard = await Promise.all(staying.map(({ next }) => next('message')))
  for (const { destroy } of staying) destroy()
  return { connected: staying.length, sessions, heard: heard.length }
}

async function cutOff(at: TestApp, uid: string, path: string, stage: (typeof STAGES)[number] | undefined) {
  const client = startStream(at, { path, headers: { 'x-user': uid } })
  if (stage === 'at once') await turn()
  else if (stage === 'head') await client.opened
  else await new Promise<void>((resolve) => cuts.set(`${stage} ${uid}`, resolve))
  client.destroy()
}

function cut(stage: string, uid: string): void {
  cuts.get(`${stage} ${uid}`)?.()
}

async function left({ comet, sockets }: TestApp): Promise<Churned['left']> {
  await until(() => comet.stats().sessions === 0 && sockets.size === 0, 'everybody gone').catch(() => {})
  await until(() => ghosts === 0, 'everybody offline').catch(() => {})
  const { sessions, users, rooms } = comet.stats()
  return { sessions, users, rooms, sockets: sockets.size }
}

function listeners({ server }: TestApp): number {
  const emitters: EventEmitter[] = [server, process]
  return emitters
    .flatMap((emitter) => emitter.eventNames().map((event) => emitter.listenerCount(event)))
    .reduce((sum, each) => sum + each, 0)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
