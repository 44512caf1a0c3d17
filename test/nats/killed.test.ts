import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNodes, type NatsTestNode } from '../support/nats-nodes.ts'
import { NatsServer } from '../support/nats-server.ts'
import { Random } from '../support/random.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

const KILLS = sampled(40, 4)

/** What one node publishes each 5 ms. */
const BURST = 10

/** Publishes numbered events until it is stopped. */
class Load {
  /** The numbers of events whose publish has settled. What is published while NATS is away for too long is rejected. */
  readonly acknowledged: number[] = []
  readonly #node: NatsTestNode
  readonly #name: string
  #count = 0
  #isOver = false
  readonly #running: Promise<void>
  readonly #open = new Set<Promise<void>>()

  constructor(node: NatsTestNode, name: string) {
    this.#node = node
    this.#name = name
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      for (let count = 0; count < BURST; count += 1) this.#publish()
      await sleep(5)
    }
  }

  #publish(): void {
    const number = this.#count
    this.#count += 1
    const published: Promise<void> = this.#node
      .publish(`${this.#name}:${number}`)
      .then(
        () => {
          this.acknowledged.push(number)
        },
        (error) => assert.equal(error.code, 'UNAVAILABLE'),
      )
      .finally(() => this.#open.delete(published))
    this.#open.add(published)
  }

  /** Publishes no more. @returns settles when all has settled */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#running
    await Promise.all(this.#open)
  }
}

/** The events of one publisher that came to a node, in order. */
function ofPublisher(node: NatsTestNode, name: string): number[] {
  return node
    .texts()
    .filter((text) => text.startsWith(`${name}:`))
    .map((text) => Number(text.slice(name.length + 1)))
}

/** Finds what is wrong with the events of a publisher: each comes once, in order, and a gap is told where one is missing. */
function faultsOf({ log }: NatsTestNode, name: string): string[] {
  const faults: string[] = []
  let [last, isTold] = [-1, true]
  for (const text of log) {
    if (text === 'begin') isTold = true
    if (!text.startsWith(`${name}:`)) continue
    const number = Number(text.slice(name.length + 1))
    if (number <= last) faults.push(`${text} after ${last}`)
    else if (number > last + 1 && !isTold) faults.push(`${text} after ${last}, without a gap`)
    last = number
    isTold = false
  }
  return faults
}

describe('nats-server that is killed, and started again, under load', function () {
  this.timeout(scaled(60_000 + KILLS * 10_000))
  let server: NatsServer

  afterEach(async () => {
    await closeNodes()
    await server?.stop()
  })

  async function killOften(nodes: readonly NatsTestNode[]): Promise<Load[]> {
    const random = new Random()
    const loads = nodes.map((node, at) => new Load(node, `p${at}`))
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(random.int(50, 600))
      await server.kill()
      await sleep(random.int(0, kill % 4 === 0 ? 1_800 : 300))
      await server.restart()
    }
    await sleep(300)
    for (const load of loads) await load.end()
    return loads
  }

  it('loses and doubles nothing that JetStream has acknowledged, and tells no gap', async function () {
    server = await NatsServer.start(this, { jetstream: true })
    const nodes = await joinNodes(server, ['a', 'b', 'c'], {
      jetstream: true,
      // A node may be away for long while others go on.
      handler: { history: { age: 600_000, bytes: 100_000_000 } },
    })
    const loads = await killOften(nodes.slice(0, 2))
    const count = loads.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
    await until(() => nodes.every(({ got }) => got.length >= count), 'delivered', 2 * PATIENCE_MS)
    figure('events with JetStream', `${count} acknowledged over ${KILLS} kills`)
    const [first] = nodes
    for (const node of nodes) {
      assert.deepEqual(node.begun.length, 1)
      assert.deepEqual(node.got, first?.got)
    }
    for (const [at, { acknowledged }] of loads.entries()) {
      assert.deepEqual(ofPublisher(first as NatsTestNode, `p${at}`), acknowledged)
    }
  })

  it('is told as a gap by NATS alone, and doubles nothing', async function () {
    server = await NatsServer.start(this)
    const nodes = await joinNodes(server, ['a', 'b', 'c'])
    const loads = await killOften(nodes.slice(0, 2))
    const last = loads.map(({ acknowledged }) => acknowledged.at(-1))
    await until(() =>
      nodes.every((node) => last.every((number, at) => ofPublisher(node, `p${at}`).at(-1) === number)),
    )
    for (const node of nodes) {
      assert.ok(node.begun.length > 1 && node.begun.length <= KILLS + 1)
      for (const at of loads.keys()) assert.deepEqual(faultsOf(node, `p${at}`), [])
    }
    for (const [at, { acknowledged }] of loads.entries()) {
      // What was acknowledged came to the node that has published it.
      assert.deepEqual(ofPublisher(nodes[at] as NatsTestNode, `p${at}`), acknowledged)
    }
  })
})
