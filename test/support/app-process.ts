import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { cometHandler } from '../../adapters/node.ts'
import { Comet, type CometOptions, type CometStats } from '../../lib/index.ts'
import { ANY_RATE } from './comets.ts'

/** A task for the app. It does one at a time. */
export type Task =
  | { readonly do: 'measure' }
  /** Publishes events to a room, one in each turn of the event loop. Each begins with its number. */
  | {
      readonly do: 'publish'
      readonly rid: string
      readonly from: number
      readonly count: number
      readonly bytes: number
    }
  /**
   * Publishes events to the world and one more to each of the users `reader-0`, `reader-1`, …, all in one turn of the
   * event loop.
   */
  | { readonly do: 'burst'; readonly count: number; readonly bytes: number; readonly readers: number }
  | { readonly do: 'close'; readonly drain: number }

/** The state of the app after a task and a garbage collection. */
export interface Measure {
  readonly rss: number
  readonly heap: number
  /** The bytes of all Buffers. */
  readonly buffers: number
  readonly resources: readonly string[]
  readonly stats: CometStats
  /** How long the task took, in milliseconds. */
  readonly took: number
  readonly errors: readonly string[]
  /** How many users went offline, and when the latest did, by `Date.now()`. */
  readonly offline: { readonly count: number; readonly at: number }
}

/**
 * Run as a process of its own, with `--expose-gc` and an IPC channel: `app-process.ts <options as JSON> <address>`.
 * Its first message is the port it listens on. Then it answers each task with a measure. It ends with its parent.
 */
const [json = '{}', address = '127.0.0.1'] = process.argv.slice(2)
const comet = new Comet({ canEnter: () => true, ...ANY_RATE, ...(JSON.parse(json) as CometOptions) })
const errors: string[] = []
const offline = { count: 0, at: 0 }
comet.on('error', (error) => errors.push(String(error)))
comet.on('offline', () => {
  offline.count += 1
  offline.at = Date.now()
})
const identify = (req: { url?: string | undefined }) =>
  new URLSearchParams(req.url?.split('?')[1]).get('u') ?? undefined
const server = http.createServer(cometHandler(comet, { path: '/comet', identify }))
server.listen(0, address, () => process.send?.((server.address() as AddressInfo).port))

process.on('message', async (task: Task) => {
  const start = performance.now()
  if (task.do === 'publish') await publish(task)
  if (task.do === 'burst') burst(task)
  if (task.do === 'close') await close(task.drain)
  const took = performance.now() - start
  globalThis.gc?.()
  // The memory of Buffers is freed after the first one.
  globalThis.gc?.()
  const { rss, heapUsed: heap, arrayBuffers: buffers } = process.memoryUsage()
  const resources = process.getActiveResourcesInfo()
  const measure: Measure = { rss, heap, buffers, resources, stats: comet.stats(), took, errors, offline }
  process.send?.(measure)
})
process.once('disconnect', () => process.exit())

async function publish({ rid, from, count, bytes }: Extract<Task, { do: 'publish' }>): Promise<void> {
  for (let number = from; number < from + count; number += 1) {
    await comet.publish({ rid, evt: `${number}:`.padEnd(bytes, 'x') })
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function burst({ count, bytes, readers }: Extract<Task, { do: 'burst' }>): void {
  for (let number = 0; number < count; number += 1)
    void comet.publish({ evt: `${number}:`.padEnd(bytes, 'x') })
  for (let index = 0; index < readers; index += 1) void comet.publish({ uid: `reader-${index}`, evt: '-1' })
}

async function close(drain: number): Promise<void> {
  await comet.close({ drain })
  await new Promise((resolve) => server.close(resolve))
  // Node releases the server only after it has called back.
  await new Promise((resolve) => setImmediate(resolve))
}
