import assert from 'node:assert/strict'
import type { Presence, PresenceConnection, UserActivityEvent } from '../../lib/index.ts'
import { show } from '../support/activity-rules.ts'
import { until } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'

const alice = { uid: 'alice', sid: 'a1', connection: 'a1' }
const alice2 = { uid: 'alice', sid: 'a2', connection: 'a2' }
const bob = { uid: 'bob', sid: 'b1', connection: 'b1' }

/** Rooms that a client asked for by URL. */
const rooms = (...rids: string[]) => rids.map((rid) => ({ rid, by: 'url' as const }))

/**
 * Defines tests of the promises of the Presence port. Every implementation must pass them.
 *
 * @param make called before each test, for a presence that no node has joined
 */
export function presenceContract(
  { describe, it, beforeEach, afterEach }: TestFramework,
  make: () => Presence | Promise<Presence>,
): void {
  describe('Presence contract', () => {
    let port: Presence
    const joined: PresenceConnection[] = []

    beforeEach(async () => {
      port = await make()
    })

    afterEach(async () => {
      for (const presence of joined.splice(0)) await presence.close()
    })

    function join(id: string, namespace = 'test') {
      const events: UserActivityEvent[] = []
      const presence = port.join({ id, namespace, onActivity: (some) => events.push(...some) })
      joined.push(presence)
      return { presence, events, reported: () => events.splice(0).map(show) }
    }

    /**
     * Runs a scenario with a grace that is long enough for this machine, however busy it is: a scenario returns false
     * when it was too late, and is run again with twice the grace.
     */
    async function withGrace(scenario: (grace: number, namespace: string) => Promise<boolean>) {
      for (let grace = 50; !(await scenario(grace, `test-${grace}`)); grace *= 2);
    }

    /** Starts the grace of a session. @returns tells whether it still runs */
    async function disconnect(
      presence: PresenceConnection,
      session: typeof alice,
      grace: number,
    ): Promise<() => boolean> {
      const start = performance.now()
      await presence.disconnect(session, grace)
      return () => performance.now() - start < grace
    }

    it('reports ONLINE and the rooms in their order, with one time, before connect resolves', async () => {
      const { presence, events, reported } = join('n')
      await presence.connect(alice, rooms('den', 'attic', 'den'))
      assert.equal(new Set(events.map(({ time }) => time)).size, 1)
      assert.deepEqual(reported(), ['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice attic'])
    })

    it('reports only new rooms of a second session', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      reported()
      await presence.connect(alice2, rooms('den', 'attic'))
      assert.deepEqual(reported(), ['ENTER_ROOM alice attic'])
      await presence.disconnect(alice, 0)
      assert.deepEqual(reported(), [])
      await presence.disconnect(alice2, 0)
      assert.deepEqual(reported().sort(), ['LEAVE_ROOM alice attic', 'LEAVE_ROOM alice den', 'OFFLINE alice'])
    })

    it('reports the LEAVE_ROOMs right before OFFLINE, with one time', async () => {
      const { presence, events, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.enter({ uid: 'alice' }, 'attic', 'app')
      reported()
      await presence.disconnect(alice, 0)
      assert.equal(new Set(events.map(({ time }) => time)).size, 1)
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den', 'LEAVE_ROOM alice attic', 'OFFLINE alice'])
    })

    it('keeps the memberships of a session in grace, and ends them with the grace', async () => {
      await withGrace(async (grace, namespace) => {
        const { presence, reported } = join('n', namespace)
        await presence.connect(alice, rooms('den'))
        reported()
        const isInGrace = await disconnect(presence, alice, grace)
        const kept = [await presence.isOnline('alice'), await presence.count('den'), reported()]
        if (!isInGrace()) return false
        assert.deepEqual(kept, [true, 1, []])
        await until(async () => !(await presence.isOnline('alice')))
        assert.deepEqual(reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
        return true
      })
    })

    it('reports nothing when the user is back on another node within the grace', async () => {
      await withGrace(async (grace, namespace) => {
        const [one, two] = [join('n1', namespace), join('n2', namespace)]
        await one.presence.connect(alice, rooms('den'))
        one.reported()
        const isInGrace = await disconnect(one.presence, alice, grace)
        await two.presence.connect(alice2, rooms('den'))
        if (!isInGrace()) return false
        // Bob's grace begins later: when it is over, so is that of Alice's first session.
        await one.presence.connect(bob, [])
        await one.presence.disconnect(bob, grace)
        await until(async () => !(await one.presence.isOnline('bob')))
        assert.deepEqual([...one.reported(), ...two.reported()], ['ONLINE bob', 'OFFLINE bob'])
        assert.equal(await one.presence.count('den'), 1)
        return true
      })
    })

    it('reports the end of a grace to the surviving node when its own node has left', async () => {
      await withGrace(async (grace, namespace) => {
        const [one, two] = [join('n1', namespace), join('n2', namespace)]
        await one.presence.connect(alice, rooms('den'))
        const isInGrace = await disconnect(one.presence, alice, grace)
        await one.presence.close()
        if (!isInGrace()) return false
        one.reported()
        await until(async () => !(await two.presence.isOnline('alice')))
        assert.deepEqual([one.reported(), two.reported()], [[], ['LEAVE_ROOM alice den', 'OFFLINE alice']])
        return true
      })
    })

    it('ends all graces when the last node leaves', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.disconnect(alice, 60_000)
      reported()
      await presence.close()
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
    })

    for (const [what, target] of [
      ['user', { uid: 'alice' }],
      ['session', { sid: 'a1' }],
      ['room', { rid: 'den' }],
    ] as const) {
      it(`ends the grace of a ${what} and of nobody else with endGrace`, async () => {
        const { presence, reported } = join('n')
        await presence.connect(alice, rooms('den'))
        await presence.connect(bob, rooms('attic'))
        await presence.disconnect(alice, 60_000)
        await presence.disconnect(bob, 60_000)
        reported()
        await presence.endGrace(target)
        assert.deepEqual(reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
        assert.equal(await presence.isOnline('bob'), true)
      })
    }

    it('ends no live session with endGrace', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      reported()
      await presence.endGrace({ uid: 'alice' })
      await presence.endGrace({ sid: 'a1' })
      await presence.endGrace({ rid: 'den' })
      assert.deepEqual(reported(), [])
    })

    it('counts memberships: a room is left with the last one', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.connect(alice2, [])
      await presence.enter(alice2, 'den', 'app')
      await presence.enter({ uid: 'alice' }, 'den', 'app')
      reported()
      assert.equal(await presence.leave(alice, 'den'), true)
      assert.equal(await presence.leave(alice, 'den'), false)
      assert.equal(await presence.leave(alice2, 'den'), true)
      assert.deepEqual(reported(), [])
      assert.equal(await presence.leave({ uid: 'alice' }, 'den'), true)
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den'])
    })

    it('ends every membership when the user leaves a room', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.connect(alice2, rooms('den'))
      await presence.enter({ uid: 'alice' }, 'den', 'app')
      reported()
      assert.equal(await presence.leave({ uid: 'alice' }, 'den'), true)
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den'])
      assert.equal(await presence.leave({ uid: 'alice' }, 'den'), false)
    })

    it('keeps the membership of a user for later sessions until OFFLINE', async () => {
      const { presence } = join('n')
      await presence.connect(alice, [])
      assert.equal(await presence.enter({ uid: 'alice' }, 'den', 'app'), true)
      assert.deepEqual((await presence.connect(alice2, [])).memberships, ['den'])
      await presence.disconnect(alice, 0)
      await presence.disconnect(alice2, 0)
      assert.deepEqual((await presence.connect(alice, [])).memberships, [])
    })

    it('refuses a membership to a user or session that is not online', async () => {
      const { presence, reported } = join('n')
      assert.equal(await presence.enter({ uid: 'alice' }, 'den', 'app'), false)
      await presence.connect(alice, [])
      reported()
      assert.equal(await presence.enter(alice2, 'den', 'app'), false)
      assert.equal(await presence.leave({ uid: 'bob' }, 'den'), false)
      assert.deepEqual(reported(), [])
    })

    it('lists members in the order they entered, with the newest info', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.presence.connect({ ...bob, info: { name: 'Bob' } }, rooms('den'))
      await two.presence.connect(alice, rooms('den'))
      await two.presence.connect({ ...alice2, info: { name: 'Alice' } }, [])
      assert.deepEqual(await one.presence.members('den'), [
        { uid: 'bob', info: { name: 'Bob' } },
        { uid: 'alice', info: { name: 'Alice' } },
      ])
      assert.deepEqual(await one.presence.members('nowhere'), [])
      assert.equal(await one.presence.count('nowhere'), 0)
    })

    it('lists members in pages, which have each user who stays once, whoever enters and leaves', async () => {
      const { presence } = join('n')
      const enter = (uid: string) => presence.connect({ uid, connection: `${uid}1`, info: uid }, rooms('den'))
      const uids = Array.from({ length: 9 }, (_, index) => `user-${index}`)
      for (const uid of uids.toReversed()) await enter(uid)
      const listed: string[] = []
      for (let after: string | undefined; ; after = listed.at(-1)) {
        const page = await presence.members('den', { after, limit: 2 })
        for (const { uid, info } of page) assert.equal(info, uid)
        listed.push(...page.map(({ uid }) => uid))
        if (page.length < 2) break
        // The user of the cursor leaves, and another one enters, of a page that was read already.
        const last = String(listed.at(-1))
        await presence.leave({ uid: last }, 'den')
        await enter('a newcomer')
      }
      assert.deepEqual(listed.filter((uid) => uid !== 'a newcomer').sort(), uids)
      assert.equal(new Set(listed).size, listed.length)
      assert.deepEqual(await presence.members('nowhere', { limit: 2 }), [])
      assert.equal((await presence.members('den', { limit: Number.POSITIVE_INFINITY })).length, 6)
    })

    it('lists the rooms of a user over all nodes, whatever put it there, grace included', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.presence.connect(alice, rooms('den'))
      await two.presence.connect(alice2, rooms('den', 'attic'))
      await one.presence.enter({ uid: 'alice' }, 'hall', 'app')
      await one.presence.disconnect(alice, 60_000)
      assert.deepEqual((await two.presence.roomsOf('alice')).sort(), ['attic', 'den', 'hall'])
      await one.presence.leave({ uid: 'alice' }, 'hall')
      await one.presence.leave(alice2, 'attic')
      assert.deepEqual(await one.presence.roomsOf('alice'), ['den'])
      assert.deepEqual(await one.presence.roomsOf('bob'), [])
    })

    it('separates namespaces', async () => {
      const [one, other] = [join('n1'), join('n2', 'other')]
      await one.presence.connect(alice, rooms('den'))
      assert.equal(await other.presence.isOnline('alice'), false)
      assert.equal(await other.presence.count('den'), 0)
    })

    describe('with a clientId', () => {
      const page = { ...alice, clientId: 'page' }
      const again = { ...alice2, clientId: 'page' }

      it('takes over the sid and rooms of a session in grace, and reports nothing', async () => {
        const [one, two] = [join('n1'), join('n2')]
        await one.presence.connect({ ...page, start: '5' }, rooms('den'))
        await one.presence.enter(page, 'attic', 'join')
        await one.presence.disconnect(page, 60_000)
        one.reported()
        assert.deepEqual(await two.presence.connect(again, rooms('den')), {
          sid: 'a1',
          rooms: [
            { rid: 'den', by: 'url' },
            { rid: 'attic', by: 'join' },
          ],
          memberships: [],
          previous: { node: 'n1', connection: 'a1', start: '5', rooms: ['den', 'attic'], connected: false },
        })
        assert.deepEqual([one.reported(), two.reported()], [[], []])
        assert.deepEqual(await one.presence.locate('a1'), {
          uid: 'alice',
          node: 'n2',
          connection: 'a2',
          connected: true,
        })
      })

      it('names the previous connection of a live takeover, whose end has no effect', async () => {
        const [one, two] = [join('n1'), join('n2')]
        await one.presence.connect({ ...page, start: '5' }, rooms('den'))
        const { sid, previous } = await two.presence.connect(again, [])
        assert.equal(sid, 'a1')
        const before = { start: '5', rooms: ['den'] }
        assert.deepEqual(previous, { node: 'n1', connection: 'a1', ...before, connected: true })
        assert.equal(await one.presence.disconnect(page, 0), false)
        assert.equal(await two.presence.isOnline('alice'), true)
        await two.presence.disconnect({ ...again, sid }, 0)
        assert.equal(await two.presence.isOnline('alice'), false)
        assert.equal(await two.presence.locate('a1'), undefined)
      })

      it('obeys the connection that took over, and no longer the previous one, also on one node', async () => {
        const { presence, reported } = join('n')
        await presence.connect(page, rooms('den'))
        const taken = { ...again, sid: (await presence.connect(again, [])).sid }
        reported()
        assert.equal(await presence.enter(page, 'attic', 'app'), false)
        assert.equal(await presence.leave(page, 'den'), false)
        await presence.disconnect(page, 0)
        assert.deepEqual(reported(), [])
        assert.equal(await presence.enter(taken, 'attic', 'app'), true)
        assert.equal(await presence.leave(taken, 'den'), true)
        assert.deepEqual(reported(), ['ENTER_ROOM alice attic', 'LEAVE_ROOM alice den'])
        const third = await presence.connect({ ...page, connection: 'a3' }, [])
        assert.deepEqual(third, {
          sid: 'a1',
          rooms: [{ rid: 'attic', by: 'app' }],
          memberships: [],
          previous: { node: 'n', connection: 'a2', start: undefined, rooms: ['attic'], connected: true },
        })
      })

      it('keeps who let a session into a room: the latest grant counts, but what the app granted stays', async () => {
        const { presence } = join('n')
        await presence.connect(page, [{ rid: 'den', by: 'identity' }, ...rooms('attic', 'hall')])
        assert.equal(await presence.enter(page, 'hall', 'app'), true)
        const taken = await presence.connect(again, [
          { rid: 'attic', by: 'identity' },
          { rid: 'hall', by: 'identity' },
          ...rooms('cellar'),
        ])
        assert.deepEqual(taken.rooms, [
          { rid: 'den', by: 'identity' },
          { rid: 'attic', by: 'identity' },
          { rid: 'hall', by: 'app' },
          { rid: 'cellar', by: 'url' },
        ])
        const now = { ...again, sid: taken.sid }
        assert.equal(await presence.membership(now, 'cellar'), 'url')
        assert.equal(await presence.membership(page, 'cellar'), undefined)
      })

      it('ends the grace of a session at once when its last connection is disconnected again', async () => {
        const { presence, reported } = join('n')
        await presence.connect(page, rooms('den'))
        await presence.disconnect(page, 60_000)
        assert.equal((await presence.locate('a1'))?.connected, false)
        reported()
        assert.equal(await presence.disconnect({ ...page, connection: 'another' }, 0), false)
        assert.deepEqual(reported(), [])
        assert.equal(await presence.disconnect(page, 0), true)
        assert.deepEqual(reported(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
        assert.equal(await presence.disconnect(page, 0), false)
      })

      it('takes over no session of another user or of another page', async () => {
        const { presence } = join('n')
        await presence.connect(page, rooms('den'))
        assert.equal((await presence.connect({ ...bob, clientId: 'page' }, [])).sid, 'b1')
        assert.equal((await presence.connect({ ...alice2, clientId: 'other' }, [])).sid, 'a2')
        assert.equal((await presence.connect({ uid: 'alice', connection: 'a3' }, [])).sid, 'a3')
      })
    })

    it('tells who let a user or a session into a room', async () => {
      const { presence } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.enter({ uid: 'alice' }, 'attic', 'app')
      const of = async (rid: string) => [
        await presence.membership(alice, rid),
        await presence.membership({ uid: 'alice' }, rid),
      ]
      assert.deepEqual(await of('den'), ['url', undefined])
      assert.deepEqual(await of('attic'), [undefined, 'app'])
      assert.equal(await presence.membership({ uid: 'bob' }, 'den'), undefined)
    })

    it('reports a transition only to the node that caused it', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.presence.connect(alice, [])
      assert.deepEqual([one.reported(), two.reported()], [['ONLINE alice'], []])
      await two.presence.enter({ uid: 'alice' }, 'den', 'app')
      assert.deepEqual([one.reported(), two.reported()], [[], ['ENTER_ROOM alice den']])
    })

    it('never reports a later transition with an earlier time', async () => {
      const { presence, events } = join('n')
      for (let round = 0; round < 50; round += 1) {
        await presence.connect(alice, rooms('den'))
        await presence.disconnect(alice, 0)
      }
      const times = events.map(({ time }) => time)
      assert.deepEqual(
        times,
        times.toSorted((a, b) => Number(a - b)),
      )
      assert.equal(events.length, 200)
    })
  })
}
