import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { redisCluster } from '../../adapters/redis/index.ts'
import type { Comet, WriteBatch } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { collectGarbage } from '../support/garbage.ts'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

/** How long Redis is away once everything that an app may keep for it is kept, in milliseconds. */
const AWAY_MS = sampled(60_000, 3_000)

/** What is published each 10 ms. */
const EVENTS = 100

/** What the heap may grow by while calls are rejected, in bytes: what is left of one call, many thousand times, is more. */
const MOST_GROWTH = 3_000_000

const MOST_EVENTS = 2_000_000
const PADDING = 'x'.repeat(150)

/** A client that counts how often it got each event, and keeps nothing else. */
class CountingTransport extends MemoryTransport {
  readonly counts = new Uint8Array(MOST_EVENTS)
  last = -1
  isInOrder = true

  override write({ bytes }: WriteBatch): boolean {
    for (const [, text] of bytes.toString('latin1').matchAll(/^data: (\d+) x/gm)) {
      const number = Number(text)
      this.counts[number] = (this.counts[number] ?? 0) + 1
      this.isInOrder &&= number > this.last
      this.last = number
    }
    return true
  }
}

/** What a Comet told of its ports. */
class Log {
  readonly errors: string[] = []
  readonly statuses: string[] = []

  constructor(comet: Comet) {
    comet.on('error', (error) => this.errors.push(String((error as { code?: unknown }).code)))
    comet.on('status', ({ port, up }) => this.statuses.push(`${port} ${up ? 'back' : 'away'}`))
  }
}

describe('An app whose Redis is away for long, under load', function () {
  this.timeout(scaled(AWAY_MS + 60_000))
  let server: RedisServer
  const apps: TestClient[] = []

  beforeEach(async function () {
    server = await RedisServer.start(this, { appendOnly: true })
  })
  afterEach(async () => {
    await closeComets()
    for (const app of apps.splice(0)) app.close()
    await server?.stop()
  })

  async function join(library: string): Promise<Comet> {
    const app = await (CLIENTS[library] as (typeof CLIENTS)[string])(server.port)
    apps.push(app)
    const { comet } = makeComet({ ...redisCluster(app.client), offlineGrace: 60_000, historyEvents: 1_000 })
    await comet.ready
    return comet
  }

  it('keeps its memory flat, says each end once, and delivers all that was accepted', async () => {
    const one = await join('redis 6, RESP 3')
    const two = await join('ioredis 6, RESP 3')
    const logs = [new Log(one), new Log(two)]
    const clients = [new CountingTransport(), new CountingTransport()] as const
    await one.connect({ identity: 'alice', transport: clients[0] })
    await two.connect({ identity: 'alice', transport: clients[1] })

    // By event: 1 when it was accepted, 2 when it was rejected.
    const outcomes = new Uint8Array(MOST_EVENTS)
    let published = 0
    let settled = 0
    let rejected = 0
    let refused = 0
    const publish = () => {
      const number = published
      published += 1
      one.publish({ uid: 'alice', evt: `${number} ${PADDING}` }).then(
        () => {
          settled += 1
          outcomes[number] = 1
        },
        (error) => {
          settled += 1
          rejected += 1
          outcomes[number] = error.code === 'UNAVAILABLE' ? 2 : 3
        },
      )
    }
    const asks = [
      () => one.isOnline('alice'),
      () => two.members('den'),
      () => two.connect({ identity: 'bob', transport: new MemoryTransport() }),
    ]
    let isOver = false
    const load = (async () => {
      while (!isOver) {
        for (let count = 0; count < EVENTS; count += 1) publish()
        if (rejected > 0) for (const ask of asks) ask().catch(() => (refused += 1))
        await sleep(10)
      }
    })()
    await until(() => clients.every(({ last }) => last >= 5 * EVENTS))

    await server.kill()
    await until(
      () => rejected >= EVENTS && logs.every(({ statuses }) => statuses.length === 3),
      'full',
      4 * PATIENCE_MS,
    )
    // What waits for its own deadline waits for at most some seconds.
    await sleep(4_000)
    collectGarbage()
    const [heap, sooner] = [process.memoryUsage().heapUsed, rejected]
    await sleep(AWAY_MS)
    collectGarbage()
    const growth = process.memoryUsage().heapUsed - heap
    figure(
      'heap growth while Redis is away',
      `${growth} bytes, ${rejected - sooner} events and ${refused} other calls rejected`,
    )

    await server.restart()
    await until(() => logs.every(({ statuses }) => statuses.length === 6), 'back', 4 * PATIENCE_MS)
    isOver = true
    await load
    await until(() => settled === published, 'settled', 4 * PATIENCE_MS)
    await one.publish({ uid: 'alice', evt: `${published} ${PADDING}` })
    await until(() => clients.every(({ last }) => last === published), 'delivered', 4 * PATIENCE_MS)

    assert.ok(rejected - sooner > 10 * EVENTS && refused > 0)
    for (const { errors, statuses } of logs) {
      assert.deepEqual(errors, ['UNAVAILABLE'])
      const ports = ['broker', 'controller', 'presence']
      assert.deepEqual(
        statuses.slice(0, 3).sort(),
        ports.map((port) => `${port} away`),
      )
      assert.deepEqual(
        statuses.slice(3).sort(),
        ports.map((port) => `${port} back`),
      )
    }
    assert.ok(
      outcomes.every((outcome) => outcome < 3),
      'only UNAVAILABLE',
    )
    for (const { counts, isInOrder } of clients) {
      assert.ok(isInOrder)
      const wrong = Array.from(counts.subarray(0, published).keys()).filter(
        (number) => counts[number] !== (outcomes[number] === 1 ? 1 : 0),
      )
      assert.deepEqual(wrong, [])
    }
    assert.ok(growth < MOST_GROWTH, `${growth} bytes more`)
  })
})
