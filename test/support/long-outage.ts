import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Comet, WriteBatch } from '../../lib/index.ts'
import { collectGarbage } from './garbage.ts'
import { PATIENCE_MS, until } from './inbox.ts'
import { MemoryTransport } from './memory-transport.ts'
import { figure, sampled } from './tier.ts'

/** How long the store is away once everything that an app may keep for it is kept, in milliseconds. */
export const AWAY_MS = sampled(60_000, 3_000)

/** What is published each 10 ms. */
const EVENTS = 100

/** What the heap may grow by while calls are rejected, in bytes: what is left of one call, many thousand times, is more. */
const MOST_GROWTH = 3_000_000

const MOST_EVENTS = 2_000_000
const PADDING = 'x'.repeat(150)

/** A client that counts how often it got each event, and keeps nothing else. */
class CountingTransport extends MemoryTransport {
  readonly counts = new Uint8Array(MOST_EVENTS)
  gaps = 0
  last = -1
  isInOrder = true

  override write({ bytes }: WriteBatch): boolean {
    this.gaps += bytes.includes('event: comet.gap') ? 1 : 0
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

/** What is behind ports of two Comets, and goes away. */
export interface Outage {
  readonly name: string
  readonly server: { kill(): Promise<void>; restart(): Promise<void> }
  /** The ports that go away with it, in alphabetical order. */
  readonly ports: readonly string[]
  /**
   * Whether nothing keeps the events: a node that is back later than the one that publishes misses some then, and tells its
   * clients of a gap. Default: no.
   */
  readonly mayMiss?: boolean
}

/**
 * Lets what is behind the ports of two Comets go away under load. The heap stays flat, each end is told once, and all that was
 * accepted is delivered, in order.
 */
export async function outlast(
  one: Comet,
  two: Comet,
  { name, server, ports, mayMiss = false }: Outage,
): Promise<void> {
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
    () => rejected >= EVENTS && logs.every(({ statuses }) => statuses.length === ports.length),
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
    `heap growth while ${name} is away`,
    `${growth} bytes, ${rejected - sooner} events and ${refused} other calls rejected`,
  )

  await server.restart()
  await until(
    () => logs.every(({ statuses }) => statuses.length === 2 * ports.length),
    'back',
    4 * PATIENCE_MS,
  )
  isOver = true
  await load
  await until(() => settled === published, 'settled', 4 * PATIENCE_MS)
  await one.publish({ uid: 'alice', evt: `${published} ${PADDING}` })
  await until(() => clients.every(({ last }) => last === published), 'delivered', 4 * PATIENCE_MS)

  assert.ok(rejected - sooner > 10 * EVENTS && refused > 0 === ports.includes('presence'))
  for (const { errors, statuses } of logs) {
    assert.deepEqual(errors, ['UNAVAILABLE'])
    assert.deepEqual(
      statuses.slice(0, ports.length).sort(),
      ports.map((port) => `${port} away`),
    )
    assert.deepEqual(
      statuses.slice(ports.length).sort(),
      ports.map((port) => `${port} back`),
    )
  }
  assert.ok(
    outcomes.every((outcome) => outcome < 3),
    'only UNAVAILABLE',
  )
  for (const { counts, isInOrder, gaps } of clients) {
    assert.ok(isInOrder)
    const numbers = Array.from(counts.subarray(0, published).keys())
    const accepted = (number: number) => outcomes[number] === 1
    const doubled = numbers.filter((number) => (counts[number] ?? 0) > (accepted(number) ? 1 : 0))
    const missing = numbers.filter((number) => accepted(number) && counts[number] === 0)
    assert.deepEqual(doubled, [])
    if (!mayMiss || gaps === 0) assert.deepEqual(missing, [])
  }
  // It heard its own events in any case.
  const [{ counts: own }] = clients
  assert.ok(
    outcomes.subarray(0, published).every((outcome, number) => (outcome === 1) === (own[number] === 1)),
  )
  assert.ok(growth < MOST_GROWTH, `${growth} bytes more`)
}
