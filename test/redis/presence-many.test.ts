import assert from 'node:assert/strict'
import { assertActivityRules, show } from '../support/activity-rules.ts'
import { scaled, until } from '../support/inbox.ts'
import {
  closePresence,
  joinPresence,
  killPresence,
  type PresenceTestNode,
} from '../support/presence-nodes.ts'
import { RedisServer } from '../support/redis-server.ts'
import { sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

describe('RedisPresence: many', function () {
  this.timeout(scaled(120_000))
  let server: RedisServer

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(() => server.flush())
  afterEach(closePresence)

  const join = (id: string, options = {}, grace?: number) =>
    joinPresence(server.port, id, 'test', options, grace)

  /** Connects many users at once, all of them in a room. */
  async function fill(
    node: PresenceTestNode,
    count: number,
    rids: readonly string[],
    from = 0,
  ): Promise<void> {
    for (let user = from; user < from + count; user += 100) {
      const some = Array.from({ length: Math.min(100, from + count - user) }, (_, at) =>
        node.connect(`user-${String(user + at).padStart(6, '0')}`, rids, { info: user + at }),
      )
      await Promise.all(some)
    }
  }

  /** How many users and members the calls to the script have touched at most, as far as commands tell. */
  async function commands(node: PresenceTestNode): Promise<Map<string, number>> {
    const text = String(await node.send('INFO', 'commandstats'))
    return new Map(
      Array.from(text.matchAll(/cmdstat_(\w+):calls=(\d+)/g), ([, name = '', calls]) => [
        name,
        Number(calls),
      ]),
    )
  }

  it('lists a big room in slices, at one moment, while users come and go', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const count = 1_500
    await fill(a, count, ['den'])
    const list = (await a.presence.members('den')).members
    assert.equal(list.length, count)
    assert.deepEqual(
      list.map(({ info }) => info),
      Array.from({ length: count }, (_, user) => user),
    )
    let isOver = false
    const churn = (async () => {
      for (let round = 0; !isOver; round += 1) {
        const user = (round * 37) % count
        const uid = `user-${String(user).padStart(6, '0')}`
        await b.presence.leave({ uid }, 'den')
        await b.presence.setInfo(`user-${String((user + 1) % count).padStart(6, '0')}`, { round })
        await b.presence.enter({ uid }, 'den', 'app')
        if (round % 3 === 0) await b.connect(`newcomer-${round}`, ['den'])
      }
    })()
    await b.presence.watch('den')
    const reads: { rev: string; members: readonly { uid: string; info?: unknown }[] }[] = []
    for (let read = 0; read < 10; read += 1) reads.push(await a.presence.members('den'))
    isOver = true
    await churn
    const last = await a.presence.members('den')
    await until(() => b.changes.at(-1)?.rev === last.rev)
    // Each list, taken on by the changes after its revision, is the last one.
    for (const { rev, members } of [...reads, last]) {
      const known = new Map(members.map(({ uid, info }) => [uid, info]))
      assert.equal(known.size, members.length)
      for (const change of b.changes) {
        if (number(change.rev) <= number(rev)) continue
        if (change.type === 'leave') assert.ok(known.delete(change.member.uid), `${change.member.uid} leaves`)
        else {
          if (change.type === 'enter') assert.ok(!known.has(change.member.uid), `${change.member.uid} enters`)
          known.set(change.member.uid, change.member.info)
        }
      }
      assert.deepEqual(
        Array.from(known).sort(([one], [other]) => (one < other ? -1 : 1)),
        last.members
          .map(({ uid, info }) => [uid, info] as const)
          .toSorted(([one], [other]) => (one < other ? -1 : 1)),
      )
    }
    assert.ok(reads.some(({ rev }) => rev !== last.rev))
  })

  it('pages through a big room, and finds its nodes, in slices', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await fill(a, 900, ['den'])
    await fill(b, 1, ['den'], 900)
    const uids: string[] = []
    for (let after: string | undefined; ; after = uids.at(-1)) {
      const { members } = await a.presence.members('den', { after, limit: 350 })
      uids.push(...members.map(({ uid }) => uid))
      if (members.length < 350) break
    }
    assert.deepEqual(uids, uids.toSorted())
    assert.equal(new Set(uids).size, 901)
    assert.equal((await a.presence.members('den', { limit: Number.POSITIVE_INFINITY })).members.length, 901)
    assert.deepEqual([...(await a.presence.nodesOf({ rid: 'den' }))].sort(), ['a', 'b'])
    assert.equal(await b.presence.count('den'), 901)
  })

  it('ends the graces of a big room in slices', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await fill(a, 700, ['den'])
    await b.connect('stays', ['den'])
    await Promise.all(Array.from(a.live.values(), (session) => a.drop(session)))
    const before = (await commands(a)).get('evalsha') ?? 0
    await a.presence.endGrace({ rid: 'den' })
    const calls = ((await commands(a)).get('evalsha') ?? 0) - before
    assert.ok(calls >= 4, `${calls}`)
    assert.equal(a.events.length, 2_800)
    assertActivityRules(a.events)
    assert.equal(await a.presence.count('den'), 1)
  })

  it('touches less than 256 users and 512 members in a call, however much is asked for at once', async () => {
    const a = await join('a')
    const rids = Array.from({ length: 60 }, (_, room) => `room-${room}`)
    const monitor = await join('m')
    // 60 rooms a user: a call can take on some of these only.
    const connects = Promise.all(Array.from({ length: 100 }, (_, user) => a.connect(`user-${user}`, rids)))
    const lengths: number[] = []
    for (let last = 0; last < 6_000; ) {
      const size = Number(await monitor.send('ZCARD', a.keys.of('members')))
      if (size !== last) lengths.push(size - last)
      last = size
      if (size >= 6_100) break
    }
    await connects
    assert.ok(lengths.length > 5, lengths.join())
    assert.equal(await a.presence.count('room-59'), 100)
    const before = await commands(a)
    await Promise.all(Array.from(a.live.values(), (session) => a.drop(session, 0)))
    const calls = ((await commands(a)).get('evalsha') ?? 0) - (before.get('evalsha') ?? 0)
    assert.ok(calls >= 12, `${calls} calls to leave 6,000 rooms`)
    assert.equal(await a.presence.count('room-59'), 0)
  })

  it('settles the users of a dead node among 20 nodes once', async () => {
    const nodes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => join(`node-${index}`, { lease: 1_500 }, 300)),
    )
    const [dead, ...others] = nodes
    const count = sampled(10_000, 1_000)
    if (dead === undefined) assert.fail()
    await fill(dead, count, ['den', 'hall'])
    await others[0]?.connect('stays', ['den'])
    await dead.send('CONFIG', 'RESETSTAT')
    const start = performance.now()
    killPresence(dead)
    await until(async () => (await others[0]?.presence.count('den')) === 1, undefined, scaled(30_000))
    const took = performance.now() - start
    const events = () => others.flatMap((node) => node.events).filter(({ uid }) => uid !== 'stays')
    // The answer to the node that ended the last of them may still be on its way.
    await until(() => events().length >= 3 * count)
    const told = events()
    assert.equal(told.length, 3 * count)
    const log = told.toSorted((one, other) => Number(one.time - other.time))
    assertActivityRules([...dead.events, ...log])
    assert.equal(new Set(told.map(show)).size, told.length)
    const stats = String(await others[0]?.send('INFO', 'commandstats'))
    const used = Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1])
    console.log(`      ${Math.round(took)} ms, ${(used / count).toFixed(1)} µs of scripts a user`)
  })
})

function number(rev: string): number {
  return Number(rev.slice(rev.indexOf('.') + 1))
}
