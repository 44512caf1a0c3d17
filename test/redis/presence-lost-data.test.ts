import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { scaled, until } from '../support/inbox.ts'
import { closePresence, joinPresence, type PresenceTestNode } from '../support/presence-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const GRACE = 400

describe('RedisPresence: data that Redis loses', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let a: PresenceTestNode
  let b: PresenceTestNode

  let proxy: RedisProxy | undefined

  afterEach(async () => {
    await closePresence()
    proxy?.close()
    proxy = undefined
    await server?.stop()
  })

  async function start(test: Mocha.Context, appendOnly: boolean, restoreRate = 100_000): Promise<void> {
    server = await RedisServer.start(test, { appendOnly })
    const options = { restoreRate }
    a = await joinPresence(server.port, 'a', 'test', options, GRACE)
    b = await joinPresence(server.port, 'b', 'test', { ...options, library: 'ioredis 6, RESP 3' }, GRACE)
  }

  const epochOf = async (node: PresenceTestNode) => (await node.presence.members('none')).rev.split('.')[0]

  /**
   * Waits until both nodes reach Redis, and have restored their sessions.
   *
   * @param isLost whether they must have noticed that data was lost, so that the epoch is another one
   */
  async function restored(epoch: string | undefined, isLost = true): Promise<void> {
    await until(async () => {
      if (a.node.isRestoring || b.node.isRestoring) return false
      try {
        return ((await epochOf(a)) !== epoch) === isLost && (await epochOf(a)) === (await epochOf(b))
      } catch {
        return false
      }
    })
    await until(() => !a.node.isRestoring && !b.node.isRestoring)
  }

  /** What presence knows, as both nodes see it. */
  async function state(rids: readonly string[]): Promise<Record<string, string[]>> {
    const found: Record<string, string[]> = {}
    for (const rid of rids) {
      const { members } = await a.presence.members(rid)
      assert.deepEqual((await b.presence.members(rid)).members, members)
      assert.equal(await b.presence.count(rid), members.length)
      found[rid] = members.map(({ uid }) => uid).sort()
    }
    return found
  }

  for (const [what, appendOnly] of [
    ['a crash with an append-only file', true],
    ['a crash without data', false],
    ['FLUSHALL', undefined],
  ] as const) {
    it(`keeps sessions after ${what}, of which hooks hear nothing, and goes on`, async function () {
      await start(this, appendOnly === true)
      const alice2 = await b.connect('alice', ['den', 'attic'])
      const alice = await a.connect('alice', ['den', 'hall'], { info: { name: 'A' }, clientId: 'page' })
      const bob = await b.connect('bob', ['den'])
      await a.presence.enter(alice, 'cellar', 'app')
      await b.presence.leave(bob, 'den')
      for (const [node, session, rids] of [
        [a, alice, ['den', 'hall', 'cellar']],
        [b, bob, []],
      ] as const) {
        const known = node.live.get(session.connection)
        if (known === undefined) assert.fail()
        const rooms = rids.map((rid) => ({ rid, by: rid === 'cellar' ? ('app' as const) : ('url' as const) }))
        node.live.set(session.connection, { ...known, rooms })
      }
      a.reported()
      b.reported()
      const epoch = await epochOf(a)
      if (appendOnly === undefined) await server.flush()
      else {
        await server.kill()
        await server.restart()
      }
      await restored(epoch, appendOnly !== true)
      assert.deepEqual(await state(['den', 'hall', 'attic', 'cellar']), {
        den: ['alice'],
        hall: ['alice'],
        attic: ['alice'],
        cellar: ['alice'],
      })
      assert.deepEqual([a.reported(), b.reported()], [[], []])
      assert.equal(await a.presence.isOnline('bob'), true)
      assert.deepEqual([...(await a.presence.nodesOf({ uid: 'alice' }))].sort(), ['a', 'b'])
      assert.equal(await b.presence.membership(alice, 'cellar'), 'app')
      assert.deepEqual((await a.presence.members('den')).members, [{ uid: 'alice', info: { name: 'A' } }])
      // All goes on as if nothing had been.
      const again = await b.connect('alice', [], { clientId: 'page', info: { name: 'B' } })
      assert.equal(again.sid, alice.sid)
      await b.drop(again, 0)
      await b.drop(alice2, 0)
      await b.drop(bob, 0)
      assert.deepEqual(a.reported(), [])
      const said = b.reported()
      assert.deepEqual(said.splice(-2), ['OFFLINE alice', 'OFFLINE bob'])
      const rooms = ['hall', 'cellar', 'den', 'attic'].map((rid) => `LEAVE_ROOM alice ${rid}`)
      assert.deepEqual(said.sort(), rooms.sort())
      assert.deepEqual(a.takenOver, [])
    })
  }

  for (const [what, appendOnly, isNoticed] of [
    ['without data', false, true],
    ['without data, at once', false, false],
    ['with an append-only file, at once', true, false],
  ] as const) {
    it(`says OFFLINE for what was in grace, and for what ended after a crash ${what}`, async function () {
      await start(this, appendOnly)
      const graced = await a.connect('graced', ['den'], { clientId: 'page' })
      const dropped = await a.connect('dropped', ['den', 'hall'])
      const ended = await b.connect('ended', ['hall'])
      await b.connect('stays', ['hall'])
      await a.drop(graced, 5_000)
      const before = a.events.length + b.events.length
      assert.equal(before, 9)
      a.reported()
      b.reported()
      const epoch = await epochOf(a)
      await server.kill()
      if (isNoticed) await until(() => a.statuses.length === 1 && b.statuses.length === 1)
      await Promise.all([a.drop(dropped), b.drop(ended, 0)])
      await server.restart()
      await restored(epoch, !appendOnly)
      await until(async () => (await a.presence.count('den')) === 0, undefined, 8_000)
      assert.deepEqual(await state(['hall']), { hall: ['stays'] })
      assert.deepEqual(
        [...a.reported(), ...b.reported()].sort(),
        [
          ...['LEAVE_ROOM graced den', 'OFFLINE graced', 'LEAVE_ROOM dropped den', 'LEAVE_ROOM dropped hall'],
          ...['OFFLINE dropped', 'LEAVE_ROOM ended hall', 'OFFLINE ended'],
        ].sort(),
      )
    })
  }

  it('keeps a session in grace that comes back after data was lost', async function () {
    await start(this, false)
    const alice = await a.connect('alice', ['den'], { clientId: 'page' })
    await a.drop(alice, 30_000)
    const epoch = await epochOf(a)
    await server.flush()
    await restored(epoch)
    a.reported()
    const again = await b.connect('alice', [], { clientId: 'page' })
    assert.equal(again.sid, alice.sid)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
    assert.deepEqual(await state(['den']), { den: ['alice'] })
  })

  it('sets right what older data has', async function () {
    await start(this, true)
    const stays = await a.connect('stays', ['den'], { clientId: 'page' })
    const leaves = await a.connect('leaves', ['den'])
    const goes = await b.connect('goes', ['den'])
    const member = await b.connect('member', [])
    await a.presence.enter({ uid: 'member' }, 'den', 'app')
    const data = join(server.folder, 'appendonlydir')
    await cp(data, `${data}-old`, { recursive: true })
    // What follows is lost.
    await a.connect('comes', ['den', 'attic'])
    await b.drop(goes, 0)
    await a.presence.leave({ uid: 'member' }, 'den')
    await a.presence.enter({ uid: 'member' }, 'cellar', 'app')
    const knownMember = b.live.get(member.connection)
    if (knownMember === undefined) assert.fail()
    b.live.set(member.connection, { ...knownMember, memberships: ['cellar'] })
    await a.presence.leave(leaves, 'den')
    await a.presence.enter(leaves, 'hall', 'join')
    const known = a.live.get(leaves.connection)
    if (known === undefined) assert.fail()
    a.live.set(leaves.connection, { ...known, rooms: [{ rid: 'hall', by: 'join' }] })
    a.live.delete(stays.connection)
    const moved = await b.connect('stays', ['attic'], { clientId: 'page' })
    a.reported()
    b.reported()
    const epoch = await epochOf(a)
    const { rev } = await a.presence.members('den')
    await server.kill()
    await rm(data, { recursive: true })
    await cp(`${data}-old`, data, { recursive: true })
    await server.restart()
    await restored(epoch)
    await until(async () => (await a.presence.isOnline('goes')) === false)
    const rooms = ['den', 'hall', 'attic', 'cellar']
    const expected = {
      den: ['comes', 'stays'],
      hall: ['leaves'],
      attic: ['comes', 'stays'],
      cellar: ['member'],
    }
    await until(async () => isDeepStrictEqual(await state(rooms), expected))
    assert.deepEqual([a.reported(), b.reported(), a.takenOver, b.takenOver], [[], [], [], []])
    assert.notEqual((await a.presence.members('den')).rev.split('.')[0], rev.split('.')[0])
    assert.equal((await a.presence.locate(moved.sid))?.node, 'b')
    await b.drop(moved, 0)
    assert.deepEqual(b.reported(), ['LEAVE_ROOM stays den', 'LEAVE_ROOM stays attic', 'OFFLINE stays'])
  })

  it('ends a session that was taken over, which its node does not know', async function () {
    await start(this, false)
    const before = await a.connect('alice', ['den'], { clientId: 'page' })
    const now = await b.connect('alice', ['den'], { clientId: 'page' })
    a.reported()
    const epoch = await epochOf(a)
    await server.flush()
    await restored(epoch)
    await until(() => a.takenOver.length > 0)
    assert.deepEqual([a.takenOver, b.takenOver], [[before.connection], []])
    assert.equal((await a.presence.locate(before.sid))?.connection, now.connection)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
    await b.drop(now, 0)
    assert.deepEqual(b.reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  for (const activity of ['local', 'cluster'] as const) {
    it(`says again what a node still has whose end another one has said: ${activity} activity`, async function () {
      server = await RedisServer.start(this)
      proxy = await RedisProxy.to(server.port)
      a = await joinPresence(server.port, 'a', 'test', { activity }, GRACE)
      b = await joinPresence(proxy.port, 'b', 'test', { activity, restoreRate: 1 }, GRACE)
      const alice = await a.connect('alice', ['den', 'hall'])
      await b.connect('alice', ['den', 'attic'])
      await b.presence.enter({ uid: 'alice' }, 'own', 'app')
      const bob = await a.connect('bob', ['den'])
      await a.connect('bob', ['hall'])
      await b.connect('bob', ['den', 'attic'])
      for (const [connection, session] of b.live) {
        if (session.uid === 'alice') b.live.set(connection, { ...session, memberships: ['own'] })
      }
      await b.presence.isOnline('alice')
      if (activity === 'cluster') await until(() => a.events.length === 9 && b.events.length === 9)
      a.reported()
      b.reported()
      await server.kill()
      proxy.stall()
      const ended = [a.drop(alice, 0), a.drop(bob, 0)]
      await server.restart()
      await Promise.all(ended)
      await until(() => a.events.length === 4)
      assert.deepEqual(
        a.reported().sort(),
        ['LEAVE_ROOM alice den', 'LEAVE_ROOM alice hall', 'LEAVE_ROOM bob den', 'OFFLINE alice'].sort(),
      )
      assert.equal(await a.presence.isOnline('alice'), false)
      proxy.cut()
      proxy.resume()
      const again = ['ONLINE alice', ...['den', 'attic', 'own'].map((rid) => `ENTER_ROOM alice ${rid}`)]
      const said = [...again, 'ENTER_ROOM bob den']
      const heard: string[] = []
      await until(() => heard.push(...b.reported()) > 0 && heard.includes('ENTER_ROOM bob den'))
      await until(() => !b.node.isRestoring, undefined, scaled(10_000))
      heard.push(...b.reported())
      const expected = activity === 'local' ? said : [...said, 'LEAVE_ROOM alice den']
      assert.deepEqual(heard.filter((text) => expected.includes(text)).sort(), expected.sort())
      assert.deepEqual(a.reported().sort(), activity === 'local' ? [] : said.sort())
      const { den } = await state(['den', 'attic', 'own', 'hall'])
      assert.deepEqual(den, ['alice', 'bob'])
    })
  }

  describe('which one node restores later than another', () => {
    /** Joins two nodes with a session of a user each, and has `b` restore its own when `meanwhile` is done. */
    async function restoreLater(test: Mocha.Context, meanwhile: () => Promise<void>): Promise<void> {
      server = await RedisServer.start(test)
      proxy = await RedisProxy.to(server.port)
      a = await joinPresence(server.port, 'a', 'test', {}, GRACE)
      b = await joinPresence(proxy.port, 'b', 'test', {}, GRACE)
      await a.connect('alice', ['den'])
      const { connection } = await b.connect('alice', ['den', 'attic'])
      await b.presence.enter({ uid: 'alice' }, 'club', 'app')
      await b.presence.enter({ uid: 'alice' }, 'cellar', 'app')
      const known = b.live.get(connection)
      if (known === undefined) assert.fail()
      b.live.set(connection, { ...known, memberships: ['club', 'cellar'] })
      await b.presence.isOnline('alice')
      const epoch = await epochOf(a)
      await server.kill()
      proxy.stall()
      await server.restart()
      await until(async () => (await epochOf(a).catch(() => epoch)) !== epoch)
      await until(() => !a.node.isRestoring)
      await meanwhile()
      proxy.cut()
      proxy.resume()
      await restored(epoch)
    }

    it('brings no user back into rooms that the app took it out of meanwhile', async function () {
      await restoreLater(this, async () => {
        for (const rid of ['attic', 'club', 'den', 'cellar']) await a.presence.leave({ uid: 'alice' }, rid)
        await a.presence.enter({ uid: 'alice' }, 'cellar', 'app')
      })
      assert.deepEqual(await state(['den', 'attic', 'club', 'cellar']), {
        den: [],
        attic: [],
        club: [],
        cellar: ['alice'],
      })
    })

    it('tells of the memberships that the other node does not know', async function () {
      await restoreLater(this, async () => {})
      assert.deepEqual([a.membershipsRestored, b.membershipsRestored], [[], ['alice club', 'alice cellar']])
      assert.deepEqual(await a.presence.roomsOf('alice'), await b.presence.roomsOf('alice'))
    })
  })

  it('is noticed by a node that saw nothing of it', async function () {
    server = await RedisServer.start(this, { appendOnly: true })
    const now = () => 1_700_000_000_000
    a = await joinPresence(server.port, 'a', 'test', { now }, GRACE)
    b = await joinPresence(server.port, 'b', 'test', { now }, GRACE)
    await a.presence.isOnline('alice')
    await b.presence.isOnline('alice')
    const data = join(server.folder, 'appendonlydir')
    await cp(data, `${data}-old`, { recursive: true })
    await b.connect('bob', ['den'])
    b.reported()
    await server.kill()
    await rm(data, { recursive: true })
    await cp(`${data}-old`, data, { recursive: true })
    await server.restart()
    // Nothing happens by itself here: a finds it out, and b by its next call.
    await until(async () => {
      try {
        return (await a.presence.isOnline('bob')) === false
      } catch {
        return false
      }
    })
    await b.send('PING').catch(() => {})
    await until(async () => (await b.send('PING').catch(() => undefined)) === 'PONG')
    assert.equal(await b.presence.isOnline('bob'), true)
    assert.deepEqual([a.reported(), b.reported()], [[], []])
  })

  it('does what is asked of a user only after its sessions are restored, which takes its time', async function () {
    await start(this, false, 10)
    const sessions = await Promise.all(
      Array.from({ length: 60 }, (_, user) => a.connect(`user-${user}`, ['den'])),
    )
    a.reported()
    const epoch = await epochOf(a)
    await server.flush()
    await until(async () => (await epochOf(a)) !== epoch)
    const last = sessions.at(-1)
    if (last === undefined) assert.fail()
    assert.equal(await a.presence.isOnline(last.uid), true)
    assert.equal((await a.presence.locate(last.sid))?.connected, true)
    const begun = await a.presence.count('den')
    assert.ok(begun < sessions.length, `${begun}`)
    await a.connect(last.uid, ['den', 'hall'])
    assert.deepEqual(a.reported(), [`ENTER_ROOM ${last.uid} hall`])
    await until(() => !a.node.isRestoring, undefined, scaled(10_000))
    assert.equal(await a.presence.count('den'), sessions.length)
    assert.deepEqual(a.reported(), [])
  })

  it('tells those who watch a room the change of the epoch, and what is restored', async function () {
    await start(this, false)
    await a.connect('alice', ['den'])
    await b.presence.watch('den')
    const list = await b.presence.members('den')
    const epoch = list.rev.split('.')[0]
    await server.flush()
    await restored(epoch)
    await until(() => b.changes.length > 0)
    const [change] = b.changes
    assert.deepEqual([change?.type, change?.member.uid], ['enter', 'alice'])
    assert.notEqual(change?.rev.split('.')[0], epoch)
    assert.equal((await b.presence.members('den')).rev, change?.rev)
  })

  it('tells cluster activity nothing twice', async function () {
    await start(this, false)
    const c = await joinPresence(server.port, 'c', 'test', { activity: 'cluster' })
    const alice = await a.connect('alice', ['den'])
    await until(() => c.events.length === 2)
    const epoch = await epochOf(a)
    await server.kill()
    await server.restart()
    await restored(epoch)
    await a.drop(alice, 0)
    await b.connect('bob', [])
    await until(() => c.events.length === 5)
    assert.deepEqual(c.reported(), [
      ...['ONLINE alice', 'ENTER_ROOM alice den', 'LEAVE_ROOM alice den', 'OFFLINE alice', 'ONLINE bob'],
    ])
  })
})
