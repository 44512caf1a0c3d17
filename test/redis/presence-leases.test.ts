import assert from 'node:assert/strict'
import { operation } from '../../adapters/redis/presence-operations.ts'
import { Task } from '../../adapters/redis/presence-task.ts'
import { until } from '../support/inbox.ts'
import { closePresence, joinPresence, type PresenceTestNode } from '../support/presence-nodes.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const LEASE = 10_000
const GRACE = 5_000

describe('RedisPresence: leases', () => {
  let server: RedisServer
  let time: number
  let a: PresenceTestNode
  let b: PresenceTestNode

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(async () => {
    await server.flush()
    time = 1_700_000_000_000
    const options = { lease: LEASE, now: () => time }
    a = await joinPresence(server.port, 'a', 'test', options, GRACE)
    b = await joinPresence(server.port, 'b', 'test', options, GRACE)
  })
  afterEach(closePresence)

  /** Lets time pass in steps in which everybody but the named nodes does what is due. */
  async function pass(milliseconds: number, ...stopped: PresenceTestNode[]): Promise<void> {
    const end = time + milliseconds
    while (time < end) {
      time = Math.min(end, time + 1_000)
      for (const node of [a, b]) {
        if (stopped.includes(node)) continue
        node.node.renew()
        await node.node.sweep()
      }
    }
  }

  /** Goes on with a node that was stopped. */
  async function resume(node: PresenceTestNode): Promise<void> {
    node.node.renew()
    // Restoring ends a while after the last session.
    await until(async () => (await node.presence.isOnline('nobody')) === false && !node.node.isRestoring)
  }

  it('puts the sessions of a dead node in grace, then ends them, once, and tells one node', async () => {
    await a.connect('alice', ['den'])
    await b.connect('alice', ['attic'])
    await a.connect('bob', ['den'])
    a.reported()
    b.reported()
    await pass(LEASE - 1_000, a)
    assert.deepEqual(await b.presence.nodesOf({ uid: 'alice' }), ['a', 'b'])
    await pass(2_000, a)
    assert.deepEqual(await b.presence.nodesOf({ uid: 'alice' }), ['b'])
    assert.equal(await b.presence.isOnline('bob'), true)
    assert.deepEqual(b.reported(), [])
    await pass(GRACE, a)
    assert.deepEqual(b.reported().sort(), ['LEAVE_ROOM alice den', 'LEAVE_ROOM bob den', 'OFFLINE bob'])
    await pass(GRACE, a)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
    assert.equal(await b.presence.isOnline('alice'), true)
  })

  it('lets another node take over the session of a dead one', async () => {
    const { sid } = await a.connect('alice', ['den'], { clientId: 'page' })
    await pass(LEASE + 1_000, a)
    const taken = await b.connect('alice', [], { clientId: 'page' })
    assert.equal(taken.sid, sid)
    b.reported()
    await pass(GRACE * 2, a)
    assert.deepEqual(b.reported(), [])
  })

  it('restores the sessions of a node whose lease ended, before anybody swept', async () => {
    await a.connect('alice', ['den'])
    time += LEASE + 1
    await resume(a)
    await pass(2 * LEASE)
    assert.equal((await b.presence.nodesOf({ uid: 'alice' }))[0], 'a')
    assert.deepEqual([a.reported(), b.reported()], [['ONLINE alice', 'ENTER_ROOM alice den'], []])
  })

  it('restores the sessions of a node that comes back while the sweep is half through', async () => {
    const count = 500
    for (let user = 0; user < count; user += 1) await a.connect(`user-${user}`, ['den'])
    a.reported()
    await pass(LEASE, a)
    time += 1
    b.node.renew()
    b.node.add(new Task(operation('sweep')))
    const states = await Promise.all(
      Array.from({ length: count }, (_, user) => b.presence.nodesOf({ uid: `user-${user}` })),
    )
    const swept = states.filter((nodes) => nodes.length === 0).length
    assert.ok(swept > 0 && swept < count, `${swept}`)
    await resume(a)
    await pass(LEASE + GRACE + 2_000)
    assert.deepEqual([a.reported(), b.reported(), a.takenOver], [[], [], []])
    assert.equal(await b.presence.count('den'), count)
    const after = await Promise.all(
      Array.from({ length: count }, (_, user) => b.presence.nodesOf({ uid: `user-${user}` })),
    )
    assert.ok(after.every(([node]) => node === 'a'))
  })

  it('says ONLINE again for a session whose grace ended while its node was stopped', async () => {
    await a.connect('alice', ['den'], { info: 1 })
    await a.presence.enter({ uid: 'alice' }, 'hall', 'app')
    for (const [connection, session] of a.live) a.live.set(connection, { ...session, memberships: ['hall'] })
    a.reported()
    await pass(LEASE + GRACE + 2_000, a)
    assert.deepEqual(b.reported(), ['LEAVE_ROOM alice den', 'LEAVE_ROOM alice hall', 'OFFLINE alice'])
    await resume(a)
    assert.deepEqual(a.reported(), ['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice hall'])
    assert.deepEqual(a.takenOver, [])
    assert.deepEqual((await b.presence.members('den')).members, [{ uid: 'alice', info: 1 }])
  })

  it('ends a session on a node that was stopped while it was taken over', async () => {
    const before = await a.connect('alice', ['den'], { clientId: 'page' })
    a.reported()
    await pass(LEASE + 1_000, a)
    const now = await b.connect('alice', ['den'], { clientId: 'page' })
    await resume(a)
    assert.deepEqual(a.takenOver, [before.connection])
    assert.equal((await a.presence.locate(before.sid))?.connection, now.connection)
    await pass(LEASE + GRACE)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
  })

  for (const takeovers of [1, 2]) {
    it(`brings no ghost back of a session that ended after ${takeovers} takeovers while its node was stopped`, async () => {
      const before = await a.connect('alice', ['den'], { clientId: 'page' })
      a.reported()
      await pass(LEASE + 1_000, a)
      let now = before
      for (let count = 0; count < takeovers; count += 1) {
        now = await b.connect('alice', ['den'], { clientId: 'page' })
      }
      await b.drop(now, 0)
      assert.deepEqual(b.reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
      await pass(LEASE, a)
      await resume(a)
      assert.deepEqual(a.takenOver, [before.connection])
      assert.deepEqual([a.reported(), b.reported()], [[], []])
      assert.equal(await b.presence.isOnline('alice'), false)
      await pass(1_000)
      // What was remembered for it is gone.
      assert.deepEqual(await b.send('ZRANGE', b.keys.of('members'), '0', '-1'), [''])
    })
  }

  it('brings back no session that was ended in its grace while its node was stopped', async () => {
    const session = await a.connect('mallory', ['den'])
    a.reported()
    await pass(LEASE + 1_000, a)
    await b.presence.endGrace({ uid: 'mallory' })
    assert.deepEqual(b.reported(), ['LEAVE_ROOM mallory den', 'OFFLINE mallory'])
    await resume(a)
    assert.deepEqual([a.takenOver, a.reported()], [[session.connection], []])
    assert.equal(await b.presence.isOnline('mallory'), false)
  })

  it('ends a session whose page connected anew elsewhere after its grace', async () => {
    const before = await a.connect('alice', ['den'], { clientId: 'page' })
    await pass(LEASE + GRACE + 2_000, a)
    const now = await b.connect('alice', ['den'], { clientId: 'page' })
    assert.notEqual(now.sid, before.sid)
    b.reported()
    await resume(a)
    assert.deepEqual(a.takenOver, [before.connection])
    await b.drop(now, 0)
    assert.deepEqual(b.reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  it('does what a node that was stopped asks only after its sessions are restored', async () => {
    const session = await a.connect('alice', ['den'])
    a.reported()
    await pass(LEASE + GRACE + 2_000, a)
    b.reported()
    assert.equal((await a.presence.enter(session, 'attic', 'join')).done, true)
    assert.deepEqual(a.reported(), ['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice attic'])
  })

  it('does not bring back what ends while it is restored', async () => {
    const session = await a.connect('alice', ['den'])
    a.reported()
    await pass(LEASE + GRACE + 2_000, a)
    b.reported()
    a.node.renew()
    await a.drop(session, 0)
    await resume(a)
    assert.equal(await b.presence.isOnline('alice'), false)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
  })

  it('counts no time in which nobody swept', async () => {
    const alice = await a.connect('alice', ['den'])
    await b.connect('bob', ['den'])
    await a.drop(alice)
    // Everybody swept at least once before.
    await pass(1_000)
    a.reported()
    b.reported()
    time += 60_000
    await b.node.sweep()
    await b.presence.isOnline('bob')
    await resume(b)
    await b.node.sweep()
    assert.deepEqual(b.reported(), [])
    assert.equal(await b.presence.isOnline('alice'), true)
    await resume(a)
    await pass(2_000)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
    await pass(2_000)
    assert.deepEqual([...a.reported(), ...b.reported()], ['LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  it('forgets a node that is gone for an hour', async () => {
    await a.connect('alice', [], { clientId: 'page' })
    await pass(LEASE + 1_000, a)
    await b.connect('alice', [], { clientId: 'page' })
    const known = async () => [
      await b.send('ZSCORE', b.keys.of('leases'), 'a'),
      await b.send('HEXISTS', b.keys.of('presence'), 'na'),
    ]
    assert.notDeepEqual(await known(), [null, 0])
    time += 3_600_000
    await resume(b)
    await pass(4_000, a)
    assert.deepEqual(await known(), [null, 0])
    assert.deepEqual(await b.send('ZRANGE', b.keys.of('members'), '0', '-1'), ['', '\x01balice'])
    // What it had not said that it knows is forgotten with it.
    await b.drop({ uid: 'alice', sid: 'a.alice.1', connection: 'b.alice.1' }, 0)
    await b.node.sweep()
  })

  it('lets its keys live for an hour', async () => {
    await a.connect('alice', ['den'])
    await a.presence.disconnect({ uid: 'alice', sid: 'a.alice.1', connection: 'a.alice.1' }, 0)
    const keys = (await a.send('KEYS', 'comet:*')) as string[]
    assert.ok(keys.length >= 5)
    for (const key of keys) {
      if (/:(presence|members|graces|leases|activity)$/.test(key)) {
        assert.ok(Number(await a.send('PTTL', key)) > 3_000_000, key)
      }
    }
  })
})
