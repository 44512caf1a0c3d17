import assert from 'node:assert/strict'
import { scaled, until } from '../support/inbox.ts'
import { Random, SEED } from '../support/random.ts'
import { figure, sampled } from '../support/tier.ts'
import { Cluster } from './cluster.ts'
import { timeNow } from './observations.ts'
import { Page } from './page.ts'

const CLIENTS = sampled(300, 60)
const CLIENTS_IN_ROOM = 10
const MESSAGES_OF_CLIENT = sampled(20, 8)
const FAREWELLS = sampled(1_000, 100)
/** How many clients are told farewell at the same time. */
const AT_ONCE = 10
const PATIENCE_MS = scaled(20_000)

describe('A chat on three processes, without sticky sessions', function () {
  this.timeout(scaled(sampled(600_000, 60_000)))
  const random = new Random(SEED)
  let cluster: Cluster
  const pages: Page[] = []

  before(async function () {
    cluster = await Cluster.start(this, { random, options: { heartbeatInterval: 2_000 } })
  })
  afterEach(() => {
    for (const page of pages.splice(0)) page.stop()
  })
  after(() => cluster?.close())

  function open(uid: string, rid: string): Page {
    const settings = { uid, clientId: uid, rids: [rid], pause: () => 20, patience: PATIENCE_MS }
    const page = new Page(cluster.proxy.url, settings)
    pages.push(page)
    return page
  }

  async function allReady(): Promise<void> {
    await until(() => pages.every(({ ready }) => ready !== undefined), 'a stream for each', PATIENCE_MS)
  }

  it(`gives ${CLIENTS} clients exactly the messages of their room, in one order`, async () => {
    const rooms = Array.from({ length: CLIENTS / CLIENTS_IN_ROOM }, (_, index) => `room-${index}`)
    const rooming = rooms.map((rid) => ({
      rid,
      members: Array.from({ length: CLIENTS_IN_ROOM }, (_, index) => open(`${rid}-${index}`, rid)),
      said: new Map<Page, number[]>(),
    }))
    await allReady()
    let count = 0
    const chats = rooming.flatMap(({ rid, members, said }) =>
      members.map(async (page) => {
        const own: number[] = []
        said.set(page, own)
        while (own.length < MESSAGES_OF_CLIENT) {
          count += 1
          own.push(count)
          const { status, text } = await page.post({ type: 'SEND', send: { evt: `${rid}: ${count} hello` } })
          assert.ok(status === 200 || status === 204, `SEND got ${status}: ${text}`)
        }
      }),
    )
    await Promise.all(chats)
    for (const { members } of rooming) {
      const expected = CLIENTS_IN_ROOM * MESSAGES_OF_CLIENT
      await until(() => members.every(({ items }) => items.length >= expected), 'all messages', PATIENCE_MS)
    }
    // What comes twice, or is for others, comes before this.
    await Promise.all(cluster.nodes.map((node, index) => publish(node, -1 - index, {})))
    await until(() => pages.every(({ numbers }) => numbers.has(-3)), 'the end', PATIENCE_MS)
    for (const { members, said } of rooming) {
      const [order = []] = members.map(numbersOf)
      for (const page of members) assert.deepEqual(numbersOf(page), order)
      assert.deepEqual(order.toSorted(byNumber), Array.from(said.values()).flat().sort(byNumber))
      for (const own of said.values())
        assert.deepEqual(
          order.filter((n) => own.includes(n)),
          own,
        )
    }
    assert.ok(pages.every(({ sids }) => sids.size === 1))
    const handled = cluster.nodes.map(({ log }) => log.filter(({ is }) => is === 'message').length)
    assert.ok(Math.min(...handled) > 0)
    figure('messages', `${count}, of which the nodes handled ${handled}`)
  })

  it(`tells a client what was published before it was disconnected, ${FAREWELLS} times`, async () => {
    let count = 0
    const sayFarewells = async () => {
      while (count < FAREWELLS) {
        const n = count
        count += 1
        const [uid, rid] = [`guest-${n}`, `hall-${n}`]
        const page = open(uid, rid)
        await until(() => page.ready !== undefined, 'a stream', PATIENCE_MS)
        const to = random.pick([{ uid: [uid] }, { rid: [rid] }])
        const node = random.pick(cluster.nodes)
        const transient = random.chance(0.3)
        const farewell = { n, node: node.name, at: timeNow(), to, except: [], transient }
        await node.ask({ do: 'disconnect', uid, reconnect: false, farewell })
        await until(() => page.isOver, 'the end of the stream', PATIENCE_MS)
        assert.deepEqual([numbersOf(page), page.codes], [[n], ['DISCONNECTED']])
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, sayFarewells))
  })

  async function publish(node: Cluster['nodes'][number], n: number, to: object): Promise<void> {
    const event = { n, node: node.name, at: timeNow(), to, except: [], transient: true }
    await node.ask({ do: 'publish', events: [event], bytes: 0 })
  }
})

/** The numbers of the messages that a page got, in order. The last ones are below zero. */
function numbersOf({ items }: Page): number[] {
  return items.flatMap((item) => ('n' in item && item.n >= 0 ? item.n : []))
}

function byNumber(one: number, two: number): number {
  return one - two
}
