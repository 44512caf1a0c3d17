import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectionOf } from '../../adapters/redis/client.ts'
import type { RawEntry } from '../../adapters/redis/entry.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { parseStep, stepsOf } from '../../adapters/redis/record.ts'
import { type Comet, UserActivityEvent } from '../../lib/index.ts'
import { ServerPath } from '../cluster/server-path.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

const LEASE = 3_000
const GRACE = 5_000
const LAG = 500

/** How much later than after the lease and the grace a user may be said to be offline: in `npm test` others run, too. */
const LATEST = sampled(scaled(1_000), scaled(5_000))

/** How many clients do each thing. */
const CLIENTS_EACH = sampled(40, 8)

/** A client, and what it got on all of its streams. */
class Page {
  readonly uid: string
  readonly #streams: MemoryTransport[] = []

  constructor(uid: string) {
    this.uid = uid
  }

  /** Connects, with the position that it has. */
  async connect(comet: Comet): Promise<void> {
    const position = this.#streams.findLast(({ lastEventId }) => lastEventId !== undefined)?.lastEventId
    const transport = new MemoryTransport()
    this.#streams.push(transport)
    const from = position === undefined ? {} : { position }
    await comet.connect({ identity: this.uid, clientId: this.uid, transport, rids: ['den'], ...from })
  }

  drop(): void {
    this.#streams.at(-1)?.drop()
  }

  get got(): string[] {
    return this.#streams.flatMap(({ published }) => published)
  }

  get gaps(): number {
    return this.#streams.filter((stream) => stream.control('gap') !== undefined).length
  }
}

function offline(log: readonly UserActivityEvent[]): UserActivityEvent[] {
  return log.filter(({ type }) => type === UserActivityEvent.Type.OFFLINE)
}

describe('Clients of a node that died, and of one that lags', function () {
  this.timeout(scaled(60_000))
  let server: RedisServer
  const apps: TestClient[] = []
  const paths: ServerPath[] = []

  beforeEach(async function () {
    server = await RedisServer.start(this)
  })
  afterEach(async () => {
    for (const path of paths) path.cut()
    await closeComets()
    for (const app of apps.splice(0)) app.close()
    for (const path of paths.splice(0)) path.close()
    await server?.stop()
  })

  /** Reads who went offline from the record. */
  async function offlineInRecord(): Promise<UserActivityEvent[]> {
    const key = new Keys('returning').of('activity')
    const entries = await connectionOf((apps[0] as TestClient).client).send(key, ['XRANGE', key, '-', '+'])
    return offline(
      (entries as unknown as RawEntry[]).flatMap(([id, fields]) =>
        stepsOf(id, fields).flatMap((step) => parseStep(step, () => false).events),
      ),
    )
  }

  async function join(library: string) {
    const path = await ServerPath.to(server.port)
    paths.push(path)
    const app = await (CLIENTS[library] as (typeof CLIENTS)[string])(path.port)
    apps.push(app)
    const ports = redisCluster(app.client, { lease: LEASE })
    const { comet } = makeComet({ ...ports, offlineGrace: GRACE, namespace: 'returning' })
    const log: UserActivityEvent[] = []
    comet.on('activity', (event) => log.push(event))
    comet.on('error', () => {})
    await comet.ready
    return { path, comet, log }
  }

  it('are offline in time, once, unless they come back: then they get everything, and nothing twice', async () => {
    const one = await join('redis 6, RESP 3')
    const two = await join('ioredis 6, RESP 3')
    const dying = await join('redis 6, RESP 3')
    const pages = (name: string) => Array.from({ length: CLIENTS_EACH }, (_, at) => new Page(`${name} ${at}`))
    const [lost, toOne, toTwo, moving] = [pages('lost'), pages('one'), pages('two'), pages('moving')]
    const watching = new Page('watching')
    await Promise.all([watching, ...moving].map((page) => page.connect(one.comet)))
    await Promise.all([...lost, ...toOne, ...toTwo].map((page) => page.connect(dying.comet)))
    two.path.delay = LAG

    const publishes: Promise<void>[] = []
    let isOver = false
    const publishing = (async () => {
      for (let count = 0; !isOver; count += 1) {
        const { comet } = count % 2 === 0 ? one : two
        publishes.push(comet.publish({ rid: 'den', evt: String(count) }))
        await sleep(10)
      }
    })()
    const all = [...lost, ...toOne, ...toTwo, ...moving, watching]
    await until(() => all.every(({ got }) => got.length > 10), 'events', 2 * PATIENCE_MS)

    const died = Date.now()
    dying.path.stall()
    const back = async (page: Page, comet: Comet, at: number) => {
      page.drop()
      // Some before the lease has ended, some in the grace after it.
      await sleep((at * (LEASE + GRACE - 3_500)) / CLIENTS_EACH)
      await page.connect(comet)
    }
    for (const page of lost) page.drop()
    await Promise.all([
      ...toOne.map((page, at) => back(page, one.comet, at)),
      ...toTwo.map((page, at) => back(page, two.comet, at)),
      // The node that they come to is behind the one that they were on.
      ...moving.map(async (page, at) => {
        await sleep(at * 100)
        page.drop()
        await page.connect(two.comet)
      }),
    ])
    await until(
      async () => (await offlineInRecord()).length >= lost.length,
      'the end of those who were lost',
      4 * PATIENCE_MS,
    )
    isOver = true
    await publishing
    await Promise.all(publishes)
    await one.comet.publish({ rid: 'den', evt: 'the end' })
    const stayed = [...toOne, ...toTwo, ...moving, watching]
    await until(() => stayed.every(({ got }) => got.at(-1) === 'the end'), 'the end', 2 * PATIENCE_MS)

    const recorded = await offlineInRecord()
    const names = lost.map(({ uid }) => uid).sort()
    const said = [one, two, dying].flatMap(({ log }) => offline(log))
    assert.deepEqual(recorded.map(({ uid }) => uid).sort(), names)
    assert.deepEqual(said.map(({ uid }) => uid).sort(), names)
    const after = recorded.map(({ time }) => Number(time / 1_000_000n) - died)
    figure('the last is offline after the death of its node', `${Math.max(...after)} ms`)
    assert.ok(Math.min(...after) >= GRACE)
    assert.ok(Math.max(...after) <= LEASE + GRACE + LATEST, `${Math.max(...after)} ms`)
    assert.equal(new Set(watching.got).size, publishes.length + 1)
    for (const page of stayed) {
      assert.deepEqual([page.got, page.gaps], [watching.got, 0], page.uid)
    }
  })
})
