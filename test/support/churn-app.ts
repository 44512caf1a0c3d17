import type { EventEmitter } from 'node:events'
import { type Adapter, adapters, identifyByHeader, startApp, type TestApp } from './apps.ts'
import { connect, startStream } from './clients.ts'
import { until } from './inbox.ts'

/** What is left of an app after many clients, half of which were cut off while they connected. */
export interface Churned {
  /** The clients that stayed, while they were there. */
  readonly stayed: { readonly connected: number; readonly sessions: number; readonly received: number }
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
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

/** Where a client is when it is cut off. */
const STAGES = ['at once', 'identify', 'canEnter', 'head'] as const

/** The number of clients that connect together. */
const BATCH = 100

/** Run as a process of its own: `churn-app.ts <clients> <adapter>...`. It must end by itself. */
const [count, ...names] = process.argv.slice(2)

const warnings: string[] = []
process.on('warning', (warning) => warnings.push(String(warning)))
const cuts = new Map<string, () => void>()
let ghosts = 0

const results: Record<string, Churned> = {}
for (const name of names) {
  const adapter = adapters.find((each) => each.name === name)
  if (adapter === undefined) throw new Error(`There is no adapter ${name}`)
  results[name] = await churn(adapter, Number(count))
}
process.stdout.write(JSON.stringify(results))

async function churn(adapter: Adapter, clients: number): Promise<Churned> {
  ghosts = 0
  warnings.splice(0)
  const app = await start(adapter)
  const before = countListeners(app)
  const stayed = await serve(app, clients)
  const left = await waitForEnd(app)
  const listeners = countListeners(app) - before
  const errors = app.errors.map(String)
  await app.close()
  return { stayed, left, listeners, ghosts, errors, warnings: [...warnings] }
}

async function start(adapter: Adapter): Promise<TestApp> {
  const app = await startApp(adapter, {
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
  app.comet.on('online', () => {
    ghosts += 1
  })
  app.comet.on('offline', () => {
    ghosts -= 1
  })
  return app
}

/** Half of the clients are cut off, each at one of the stages. The others stay until all have come. */
async function serve(app: TestApp, clients: number): Promise<Churned['stayed']> {
  const staying: Awaited<ReturnType<typeof connect>>[] = []
  for (let first = 0; first < clients; first += BATCH) {
    const batch = Array.from({ length: BATCH }, async (_, index) => {
      const path = `?rid=lobby&rid=room-${index % 10}`
      const uid = `user-${first + index}`
      if (index % 2 === 0) staying.push(await connect(app, uid, { path }))
      else await cutOff(app, uid, path, STAGES[((index - 1) / 2) % STAGES.length])
    })
    await Promise.all(batch)
  }
  await until(() => app.comet.stats().sessions <= staying.length, 'without the clients that were cut off')
  const { sessions } = app.comet.stats()
  await app.comet.publish({ rid: 'lobby', evt: 'hi' })
  const received = await Promise.all(staying.map(({ next }) => next('message')))
  for (const { destroy } of staying) destroy()
  return { connected: staying.length, sessions, received: received.length }
}

async function cutOff(app: TestApp, uid: string, path: string, stage: (typeof STAGES)[number] | undefined) {
  const client = startStream(app, { path, headers: { 'x-user': uid } })
  if (stage === 'at once') await turn()
  else if (stage === 'head') await client.opened
  else await new Promise<void>((resolve) => cuts.set(`${stage} ${uid}`, resolve))
  client.destroy()
}

function cut(stage: string, uid: string): void {
  cuts.get(`${stage} ${uid}`)?.()
}

async function waitForEnd({ comet, sockets }: TestApp): Promise<Churned['left']> {
  await until(() => comet.stats().sessions === 0 && sockets.size === 0, 'empty').catch(() => {})
  await until(() => ghosts === 0, 'offline').catch(() => {})
  const { sessions, users, rooms } = comet.stats()
  return { sessions, users, rooms, sockets: sockets.size }
}

function countListeners({ server }: TestApp): number {
  const emitters: EventEmitter[] = [server, process]
  return emitters
    .flatMap((emitter) => emitter.eventNames().map((event) => emitter.listenerCount(event)))
    .reduce((sum, each) => sum + each, 0)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
