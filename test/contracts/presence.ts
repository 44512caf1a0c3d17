import assert from 'node:assert/strict'
import type {
  Admission,
  Presence,
  PresenceConnection,
  PresenceHandler,
  PresenceSession,
  RoomChange,
  SessionMembership,
  UserActivityEvent,
} from '../../lib/index.ts'
import { show } from '../support/activity-rules.ts'
import { until } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'
import { presenceNode } from './handlers.ts'

const alice = { uid: 'alice', sid: 'a1', connection: 'a1' }
const alice2 = { uid: 'alice', sid: 'a2', connection: 'a2' }
const bob = { uid: 'bob', sid: 'b1', connection: 'b1' }

/** Rooms that a client asked for by URL. */
const rooms = (...rids: string[]) => rids.map((rid) => ({ rid, by: 'url' as const }))

/** Connects a session that nothing keeps from being admitted. */
async function admit(
  presence: PresenceConnection,
  session: PresenceSession,
  memberships: readonly SessionMembership[],
): Promise<Admission> {
  const admission = await presence.connect(session, memberships)
  assert.ok(admission)
  return admission
}

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

    function join(id: string, namespace = 'test', settings: Partial<PresenceHandler> = {}) {
      const { node, events, changes } = presenceNode(id, namespace, settings)
      const presence = port.join(node)
      joined.push(presence)
      return { presence, events, changes, reported: () => events.splice(0).map(show) }
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
      assert.equal((await presence.leave(alice, 'den')).done, true)
      assert.equal((await presence.leave(alice, 'den')).done, false)
      assert.equal((await presence.leave(alice2, 'den')).done, true)
      assert.deepEqual(reported(), [])
      assert.equal((await presence.leave({ uid: 'alice' }, 'den')).done, true)
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den'])
    })

    it('ends every membership when the user leaves a room', async () => {
      const { presence, reported } = join('n')
      await presence.connect(alice, rooms('den'))
      await presence.connect(alice2, rooms('den'))
      await presence.enter({ uid: 'alice' }, 'den', 'app')
      reported()
      assert.equal((await presence.leave({ uid: 'alice' }, 'den')).done, true)
      assert.deepEqual(reported(), ['LEAVE_ROOM alice den'])
      assert.equal((await presence.leave({ uid: 'alice' }, 'den')).done, false)
    })

    it('keeps the membership of a user for later sessions until OFFLINE', async () => {
      const { presence } = join('n')
      await presence.connect(alice, [])
      assert.equal((await presence.enter({ uid: 'alice' }, 'den', 'app')).done, true)
      assert.deepEqual((await admit(presence, alice2, [])).memberships, ['den'])
      await presence.disconnect(alice, 0)
      await presence.disconnect(alice2, 0)
      assert.deepEqual((await admit(presence, alice, [])).memberships, [])
    })

    it('refuses a membership to a user or session that is not online', async () => {
      const { presence, reported } = join('n')
      assert.equal((await presence.enter({ uid: 'alice' }, 'den', 'app')).done, false)
      await presence.connect(alice, [])
      reported()
      assert.equal((await presence.enter(alice2, 'den', 'app')).done, false)
      assert.equal((await presence.leave({ uid: 'bob' }, 'den')).done, false)
      assert.deepEqual(reported(), [])
    })

    it('lists members in the order they entered, with the newest info', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.presence.connect({ ...bob, info: { name: 'Bob' } }, rooms('den'))
      await two.presence.connect(alice, rooms('den'))
      await two.presence.connect({ ...alice2, info: { name: 'Alice' } }, [])
      assert.deepEqual((await one.presence.members('den')).members, [
        { uid: 'bob', info: { name: 'Bob' } },
        { uid: 'alice', info: { name: 'Alice' } },
      ])
      assert.deepEqual((await one.presence.members('nowhere')).members, [])
      assert.equal(await one.presence.count('nowhere'), 0)
    })

    it('lists members in pages, which have each user who stays once, whoever enters and leaves', async () => {
      const { presence } = join('n')
      const enter = (uid: string) => presence.connect({ uid, connection: `${uid}1`, info: uid }, rooms('den'))
      const uids = Array.from({ length: 9 }, (_, index) => `user-${index}`)
      for (const uid of uids.toReversed()) await enter(uid)
      const listed: string[] = []
      for (let after: string | undefined; ; after = listed.at(-1)) {
        const page = (await presence.members('den', { after, limit: 2 })).members
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
      assert.deepEqual((await presence.members('nowhere', { limit: 2 })).members, [])
      assert.equal((await presence.members('den', { limit: Number.POSITIVE_INFINITY })).members.length, 6)
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
        const { sid, previous } = await admit(two.presence, again, [])
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
        const taken = { ...again, sid: (await admit(presence, again, [])).sid }
        reported()
        assert.equal((await presence.enter(page, 'attic', 'app')).done, false)
        assert.equal((await presence.leave(page, 'den')).done, false)
        await presence.disconnect(page, 0)
        assert.deepEqual(reported(), [])
        assert.equal((await presence.enter(taken, 'attic', 'app')).done, true)
        assert.equal((await presence.leave(taken, 'den')).done, true)
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
        assert.equal((await presence.enter(page, 'hall', 'app')).done, true)
        const taken = await admit(presence, again, [
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
        assert.equal((await admit(presence, { ...bob, clientId: 'page' }, [])).sid, 'b1')
        assert.equal((await admit(presence, { ...alice2, clientId: 'other' }, [])).sid, 'a2')
        assert.equal((await admit(presence, { uid: 'alice', connection: 'a3' }, [])).sid, 'a3')
      })

      describe('and a number of the request', () => {
        const numbered = (connection: string, requestNumber?: number) => ({
          ...{ uid: 'alice', connection, clientId: 'page', requestNumber },
        })

        it('refuses an earlier request while a later one is connected, on any node, and nothing happens', async () => {
          const [one, two] = [join('n1'), join('n2')]
          await one.presence.connect({ ...numbered('a1', 7), info: 'seven', start: '5' }, rooms('den'))
          const before = await one.presence.members('den')
          one.reported()
          for (const { presence, reported } of [one, two]) {
            const early = { ...numbered('a2', 6), info: 'six', start: '4' }
            assert.equal(await presence.connect(early, rooms('den', 'attic')), undefined)
            assert.deepEqual(reported(), [])
          }
          assert.deepEqual(await two.presence.members('den'), before)
          assert.equal(await two.presence.count('attic'), 0)
          const session = { uid: 'alice', node: 'n1', connection: 'a1', connected: true }
          assert.deepEqual(await two.presence.locate('a1'), session)
          assert.equal(await two.presence.locate('a2'), undefined)
          const unknown = { uid: 'alice', sid: 'a1', connection: 'a2' }
          assert.equal((await two.presence.enter(unknown, 'attic', 'join')).done, false)
          assert.equal(await two.presence.disconnect(unknown, 0), false)
          assert.equal((await one.presence.enter(page, 'attic', 'join')).done, true)
          const { previous } = await admit(two.presence, numbered('a3', 8), [])
          assert.deepEqual(previous, {
            ...{ node: 'n1', connection: 'a1', start: '5', rooms: ['den', 'attic'], connected: true },
          })
        })

        it('compares with the latest connection, as numbers', async () => {
          const { presence } = join('n')
          let last = 'none'
          for (const [number, isAdmitted] of [
            [9, true],
            [10, true],
            [9, false],
            [2, false],
            [0, false],
            [10, true],
            [999_999_999, true],
            [100_000_000, false],
          ] as const) {
            const connection = `a${number}-${last}`
            const admission = await presence.connect(numbered(connection, number), [])
            assert.equal(admission?.previous?.connection ?? 'none', isAdmitted ? last : 'none', `${number}`)
            assert.equal(admission !== undefined, isAdmitted, `${number}`)
            if (isAdmitted) last = connection
          }
        })

        it('takes over a session in grace whatever its number is, and counts anew from there', async () => {
          const [one, two] = [join('n1'), join('n2')]
          await one.presence.connect(numbered('a1', 7), rooms('den'))
          await one.presence.disconnect(page, 60_000)
          assert.equal((await admit(two.presence, numbered('a2', 2), [])).sid, 'a1')
          assert.equal(await one.presence.connect(numbered('a3', 1), []), undefined)
          assert.equal((await admit(one.presence, numbered('a4', 3), [])).previous?.connection, 'a2')
        })

        it('takes over where one of the two has no number', async () => {
          const { presence } = join('n')
          await presence.connect(numbered('a1', 7), [])
          assert.equal((await admit(presence, numbered('a2'), [])).sid, 'a1')
          assert.equal((await admit(presence, numbered('a3', 3), [])).sid, 'a1')
          assert.equal(await presence.connect(numbered('a4', 2), []), undefined)
        })

        it('compares requests of one page of one user only', async () => {
          const { presence } = join('n')
          await presence.connect(numbered('a1', 7), [])
          const others = [
            { ...numbered('b1', 1), uid: 'bob' },
            { ...numbered('a2', 1), clientId: 'other' },
            { uid: 'alice', connection: 'a3', requestNumber: 1 },
          ]
          for (const other of others) {
            assert.equal((await admit(presence, other, [])).sid, other.connection)
          }
        })
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

    it('tells the nodes that have a live session of a user, or of a user in a room', async () => {
      const [one, two, three] = [join('n1'), join('n2'), join('n3')]
      await one.presence.connect(alice, rooms('den'))
      await two.presence.connect(alice2, [])
      await three.presence.connect(bob, rooms('attic'))
      const nodesOf = async (target: { uid: string } | { rid: string }) =>
        Array.from(await three.presence.nodesOf(target)).sort()
      assert.deepEqual(await nodesOf({ uid: 'alice' }), ['n1', 'n2'])
      assert.deepEqual(await nodesOf({ rid: 'den' }), ['n1', 'n2'])
      assert.deepEqual(await nodesOf({ rid: 'attic' }), ['n3'])
      assert.deepEqual(await nodesOf({ uid: 'nobody' }), [])
      assert.deepEqual(await nodesOf({ rid: 'nowhere' }), [])
      const sorted = (answer: { done: boolean; nodes: readonly string[] }) => [
        answer.done,
        [...answer.nodes].sort(),
      ]
      assert.deepEqual(sorted(await three.presence.enter({ uid: 'alice' }, 'hall', 'app')), [
        true,
        ['n1', 'n2'],
      ])
      assert.deepEqual(sorted(await three.presence.leave({ uid: 'alice' }, 'hall')), [true, ['n1', 'n2']])
      assert.deepEqual((await one.presence.enter(alice, 'hall', 'app')).nodes, [])
      await one.presence.disconnect(alice, 60_000)
      assert.deepEqual(await nodesOf({ uid: 'alice' }), ['n2'])
      assert.deepEqual(await nodesOf({ rid: 'den' }), ['n2'])
      await two.presence.disconnect(alice2, 0)
      assert.deepEqual(await nodesOf({ uid: 'alice' }), [])
      assert.deepEqual(sorted(await three.presence.enter({ uid: 'alice' }, 'hall', 'app')), [true, []])
    })

    it('tells whether a user has a live session with a clientId', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.presence.connect({ ...alice, clientId: 'page' }, [])
      assert.equal(await two.presence.serves('alice', 'page'), true)
      assert.equal(await two.presence.serves('alice', 'other'), false)
      assert.equal(await two.presence.serves('bob', 'page'), false)
      await one.presence.disconnect(alice, 60_000)
      assert.equal(await two.presence.serves('alice', 'page'), false)
      await two.presence.connect({ ...alice2, clientId: 'page' }, [])
      assert.equal(await one.presence.serves('alice', 'page'), true)
    })

    it('gives all nodes of a namespace one secret', async () => {
      const [one, two, other] = [join('n1'), join('n2'), join('n3', 'other')]
      const secret = await one.presence.secret()
      assert.ok(secret.length >= 22)
      assert.equal(await two.presence.secret(), secret)
      assert.notEqual(await other.presence.secret(), secret)
    })

    it('keeps the info that setInfo gave until OFFLINE', async () => {
      const { presence } = join('n')
      const info = async () => (await presence.members('den')).members[0]?.info
      assert.equal(await presence.setInfo('alice', { name: 'A' }), false)
      await presence.connect({ ...alice, info: { name: 'one' } }, rooms('den'))
      await presence.connect({ ...alice2, info: { name: 'two' } }, [])
      assert.deepEqual(await info(), { name: 'two' })
      assert.equal(await presence.setInfo('alice', { name: 'own', list: [1, null] }), true)
      await presence.connect({ ...alice, connection: 'a3', info: { name: 'three' } }, [])
      assert.deepEqual(await info(), { name: 'own', list: [1, null] })
      assert.equal(await presence.setInfo('alice', undefined), true)
      assert.equal(await info(), undefined)
      for (const connection of ['a1', 'a2', 'a3']) {
        await presence.disconnect({ uid: 'alice', sid: connection, connection }, 0)
      }
      await presence.connect({ ...alice, connection: 'a4', info: { name: 'four' } }, rooms('den'))
      assert.deepEqual(await info(), { name: 'four' })
    })

    it('gives the changes of a room revisions by which a list of its members is kept in step', async () => {
      const [one, two] = [join('n1'), join('n2')]
      const stop = await two.presence.watch('den')
      let list = await two.presence.members('den')
      const listed = new Map<string, unknown>()
      const number = (rev: string) => Number(rev.slice(rev.lastIndexOf('.') + 1))
      const follow = async ({ rev }: RoomChange | { rev: string }) => {
        await until(() => two.changes.at(-1)?.rev === rev)
        for (const change of two.changes.splice(0)) {
          assert.equal(change.rid, 'den')
          assert.ok(number(change.from) <= number(list.rev) && number(list.rev) < number(change.rev))
          list = { ...list, rev: change.rev }
          if (change.type === 'leave') listed.delete(change.member.uid)
          else listed.set(change.member.uid, change.member.info)
        }
        const { rev: now, members } = await one.presence.members('den')
        assert.equal(list.rev, now)
        assert.deepEqual(
          members.map(({ uid, info }) => [uid, info]),
          Array.from(listed),
        )
      }
      const changed = async () => await follow(await one.presence.members('den'))
      await one.presence.connect({ ...alice, info: 1 }, rooms('den', 'attic'))
      await changed()
      await one.presence.connect({ ...bob, info: 2 }, rooms('den'))
      await changed()
      await two.presence.connect({ ...alice2, info: 3 }, rooms('den'))
      await changed()
      await one.presence.setInfo('bob', 4)
      await changed()
      await one.presence.leave({ uid: 'alice' }, 'den')
      await changed()
      // Of other rooms nothing is told, and they do not touch the revision.
      await one.presence.leave({ uid: 'alice' }, 'attic')
      await one.presence.disconnect(bob, 0)
      await changed()
      await one.presence.enter({ uid: 'alice' }, 'den', 'app')
      await changed()
      stop()
      stop()
      await one.presence.leave({ uid: 'alice' }, 'den')
      const again = await two.presence.watch('den')
      await one.presence.enter({ uid: 'alice' }, 'den', 'app')
      await until(() => two.changes.length > 0)
      assert.deepEqual(
        two.changes.map(({ type }) => type),
        ['enter'],
      )
      again()
    })

    it('tells a node with cluster activity the transitions of all nodes, each once, in one order', async () => {
      const [one, two] = [join('n1'), join('n2', 'test', { activity: 'cluster' })]
      const three = join('n3', 'test', { activity: 'cluster' })
      await one.presence.connect(alice, rooms('den'))
      await two.presence.connect(bob, rooms('den'))
      await one.presence.leave({ uid: 'bob' }, 'den')
      await two.presence.disconnect(bob, 0)
      await one.presence.disconnect(alice, 0)
      const expected = [
        ...['ONLINE alice', 'ENTER_ROOM alice den', 'ONLINE bob', 'ENTER_ROOM bob den', 'LEAVE_ROOM bob den'],
        ...['OFFLINE bob', 'LEAVE_ROOM alice den', 'OFFLINE alice'],
      ]
      await until(() => two.events.length === expected.length && three.events.length === expected.length)
      assert.deepEqual(two.reported(), expected)
      assert.deepEqual(three.reported(), expected)
      assert.equal(one.reported().length, 5)
    })

    it('tells nodes with cluster activity who was heard, in order, and no other node', async () => {
      const [one, two] = [join('n1'), join('n2', 'test', { activity: 'cluster' })]
      await one.presence.connect(alice, [])
      await one.presence.heard('alice', 1n)
      await two.presence.heard('bob', 2n)
      await one.presence.disconnect(alice, 0)
      await until(() => two.events.length === 4)
      assert.deepEqual(two.reported(), ['ONLINE alice', 'HEARD alice', 'HEARD bob', 'OFFLINE alice'])
      assert.deepEqual(one.reported(), ['ONLINE alice', 'OFFLINE alice'])
    })

    it('gives the transitions of all nodes to those outside, by one node at a time, each once and in order', async () => {
      const given: string[] = []
      let giving = 0
      const giver = {
        onRecord: async (events: readonly UserActivityEvent[]) => {
          giving += 1
          await new Promise(setImmediate)
          assert.equal(giving, 1)
          given.push(...events.map(show))
          giving -= 1
        },
      }
      const [one, two, three] = [
        join('n1'),
        join('n2', 'test', giver),
        join('n3', 'test', { ...giver, activity: 'cluster' }),
      ]
      await one.presence.connect(alice, rooms('den'))
      await two.presence.connect(alice2, rooms('den', 'attic'))
      await three.presence.heard('alice', 1n)
      await three.presence.connect(bob, [])
      await one.presence.disconnect(alice, 0)
      await two.presence.disconnect(alice2, 0)
      const expected = [
        ...['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice attic', 'HEARD alice', 'ONLINE bob'],
        ...['LEAVE_ROOM alice den', 'LEAVE_ROOM alice attic', 'OFFLINE alice'],
      ]
      await until(() => given.length >= expected.length)
      assert.deepEqual(given, expected)
    })

    it('gives what ends with the last node, before it has left', async () => {
      const given: string[] = []
      const { presence } = join('n', 'test', {
        onRecord: async (events) => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          given.push(...events.map(show))
        },
      })
      await presence.connect(alice, rooms('den'))
      await presence.close()
      assert.deepEqual(given, [
        ...['ONLINE alice', 'ENTER_ROOM alice den', 'LEAVE_ROOM alice den', 'OFFLINE alice'],
      ])
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
