import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UserActivityEvent } from '../../lib/index.ts'
import { show } from '../support/activity-rules.ts'
import { scaled, until } from '../support/inbox.ts'
import {
  closePresence,
  joinPresence,
  killPresence,
  type PresenceTestNode,
} from '../support/presence-nodes.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const LEASE = scaled(600)

/** What a node gives to those outside, as `<node>: <transition>`, and how it takes it. */
interface Outside {
  readonly given: string[]
  take(node: string, events: readonly UserActivityEvent[]): Promise<void>
}

describe('RedisPresence: the record for those outside', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let outside: Outside

  beforeEach(async function () {
    server = await RedisServer.start(this)
    const given: string[] = []
    outside = {
      given,
      take: async (node, events) => {
        given.push(...events.map((event) => `${node}: ${show(event)}`))
      },
    }
  })
  afterEach(async () => {
    await closePresence()
    await server?.stop()
  })

  function join(id: string, lease = LEASE): Promise<PresenceTestNode> {
    const onRecord = (events: readonly UserActivityEvent[]) => outside.take(id, events)
    return joinPresence(server.port, id, 'test', { lease, onRecord })
  }

  const texts = () => outside.given.map((text) => text.slice(text.indexOf(' ') + 1))
  const givers = () => new Set(outside.given.map((text) => text.slice(0, text.indexOf(':'))))
  const online = (count: number, from = 0) =>
    Array.from({ length: count }, (_, user) => `ONLINE user-${from + user}`)

  /** Connects users one after the other, by turns on some nodes. */
  async function connect(nodes: readonly PresenceTestNode[], count: number, from = 0): Promise<void> {
    for (let user = from; user < from + count; user += 1)
      await nodes[user % nodes.length]?.connect(`user-${user}`)
  }

  it('is given whole and in order, of all nodes, by one of them', async () => {
    const nodes = [await join('a'), await join('b'), await joinPresence(server.port, 'c')]
    await connect(nodes, 300)
    await until(() => outside.given.length >= 300)
    assert.deepEqual(texts(), online(300))
    assert.equal(givers().size, 1)
  })

  it('is given again when it was not taken, and nothing after it before that', async () => {
    const { take } = outside
    let refusals = 0
    outside.take = async (node, events) => {
      if (refusals < 3) {
        refusals += 1
        throw new Error('Not now.')
      }
      await take(node, events)
    }
    const a = await join('a')
    await connect([a], 5)
    await until(() => outside.given.length >= 5)
    assert.deepEqual([texts(), refusals], [online(5), 3])
  })

  it('is given on by another node when one is killed', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await connect([a, b], 20)
    await until(() => outside.given.length === 20)
    const [dead, alive] = givers().has('a') ? [a, b] : [b, a]
    killPresence(dead)
    await connect([alive], 20, 20)
    await until(() => texts().includes('ONLINE user-39'))
    // What it gave right before its end may be given again.
    assert.deepEqual(Array.from(new Set(texts())), online(40))
    assert.equal(givers().size, 2)
  })

  it('is given again by another node when one is killed before it was taken', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const { take } = outside
    let stuck: string | undefined
    outside.take = async (node, events) => {
      if (stuck === undefined || stuck === node) {
        stuck = node
        return await new Promise(() => {})
      }
      await take(node, events)
    }
    await connect([a, b], 4)
    await until(() => stuck !== undefined)
    await sleep(3 * LEASE)
    // For as long as a node lives that has the turn, no other one begins.
    assert.deepEqual(texts(), [])
    killPresence(stuck === 'a' ? a : b)
    await until(() => outside.given.length >= 4)
    assert.deepEqual(texts(), online(4))
  })

  it('passes to another node at once when one leaves', async () => {
    const [a, b] = [await join('a', 60_000), await join('b', 60_000)]
    await connect([a, b], 10)
    await until(() => outside.given.length === 10)
    const [leaves, stays] = givers().has('a') ? [a, b] : [b, a]
    await leaves.presence.close()
    await connect([stays], 10, 10)
    await until(() => outside.given.length >= 20)
    assert.deepEqual(texts(), online(20))
  })

  it('goes on after Redis lost its data: what is restored is not given again', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await connect([a, b], 10)
    await until(() => outside.given.length === 10)
    await server.kill()
    await server.restart()
    await until(async () => {
      const counts = await Promise.all(online(10).map((text) => b.presence.isOnline(text.slice(7)))).catch(
        () => [],
      )
      return counts.length === 10 && counts.every(Boolean)
    })
    await connect([a, b], 5, 10)
    await until(() => outside.given.length >= 15)
    assert.deepEqual(texts(), online(15))
  })
})
