import assert from 'node:assert/strict'
import type { Presence, PresenceConnection, UserActivityEvent } from '../../lib/index.ts'
import { show } from '../support/activity-rules.ts'
import { until } from '../support/inbox.ts'

/** The promises of the Presence port, to be run over every implementation. */
export function presenceContract(name: string, make: () => Presence | Promise<Presence>): void {
  describe(`Presence contract: ${name}`, () => {
    let presence: Presence
    const links: PresenceConnection[] = []

    beforeEach(async () => {
      presence = await make()
    })

    afterEach(async () => {
      for (const link of links.splice(0)) await link.close()
    })

    function join(id: string, namespace = 'test') {
      const heard: UserActivityEvent[] = []
      const link = presence.join({ id, namespace, onActivity: (events) => heard.push(...events) })
      links.push(link)
      return { link, heard, said: () => heard.splice(0).map(show) }
    }

    const alice = { uid: 'alice', sid: 'a1', connection: 'a1' }
    const alice2 = { uid: 'alice', sid: 'a2', connection: 'a2' }
    const bob = { uid: 'bob', sid: 'b1', connection: 'b1' }

    it('reports ONLINE and the rooms in their order, with one time, before connect resolves', async () => {
      const { link, heard, said } = join('n')
      await link.connect(alice, ['den', 'attic', 'den'])
      assert.equal(new Set(heard.map(({ time }) => time)).size, 1)
      assert.deepEqual(said(), ['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice attic'])
    })

    it('reports only new rooms of a second session', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      said()
      await link.connect(alice2, ['den', 'attic'])
      assert.deepEqual(said(), ['ENTER_ROOM alice attic'])
      await link.disconnect(alice, 0)
      assert.deepEqual(said(), [])
      await link.disconnect(alice2, 0)
      assert.deepEqual(said().sort(), ['LEAVE_ROOM alice attic', 'LEAVE_ROOM alice den', 'OFFLINE alice'])
    })

    it('reports the LEAVE_ROOMs right before OFFLINE, with one time', async () => {
      const { link, heard, said } = join('n')
      await link.connect(alice, ['den'])
      await link.enter({ uid: 'alice' }, 'attic')
      said()
      await link.disconnect(alice, 0)
      assert.equal(new Set(heard.map(({ time }) => time)).size, 1)
      assert.deepEqual(said(), ['LEAVE_ROOM alice den', 'LEAVE_ROOM alice attic', 'OFFLINE alice'])
    })

    it('keeps the memberships of a session in grace, and ends them with the grace', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      said()
      await link.disconnect(alice, 40)
      assert.equal(await link.isOnline('alice'), true)
      assert.equal(await link.count('den'), 1)
      assert.deepEqual(said(), [])
      await until(async () => !(await link.isOnline('alice')))
      assert.deepEqual(said(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
    })

    it('reports nothing when the user is back on another node within the grace', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.link.connect(alice, ['den'])
      one.said()
      await one.link.disconnect(alice, 60)
      await two.link.connect(alice2, ['den'])
      await one.link.connect(bob, [])
      await one.link.disconnect(bob, 80)
      await until(async () => !(await one.link.isOnline('bob')))
      assert.deepEqual([...one.said(), ...two.said()], ['ONLINE bob', 'OFFLINE bob'])
      assert.equal(await one.link.count('den'), 1)
    })

    it('reports the end of a grace to the surviving node when its own node has left', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.link.connect(alice, ['den'])
      await one.link.disconnect(alice, 40)
      await one.link.close()
      one.said()
      await until(async () => !(await two.link.isOnline('alice')))
      assert.deepEqual([one.said(), two.said()], [[], ['LEAVE_ROOM alice den', 'OFFLINE alice']])
    })

    it('ends all graces when the last node leaves', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      await link.disconnect(alice, 60_000)
      said()
      await link.close()
      assert.deepEqual(said(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
    })

    for (const [what, target] of [
      ['user', { uid: 'alice' }],
      ['session', { sid: 'a1' }],
      ['room', { rid: 'den' }],
    ] as const) {
      it(`ends the grace of a ${what} and of nobody else with endGrace`, async () => {
        const { link, said } = join('n')
        await link.connect(alice, ['den'])
        await link.connect(bob, ['attic'])
        await link.disconnect(alice, 60_000)
        await link.disconnect(bob, 60_000)
        said()
        await link.endGrace(target)
        assert.deepEqual(said(), ['LEAVE_ROOM alice den', 'OFFLINE alice'])
        assert.equal(await link.isOnline('bob'), true)
      })
    }

    it('ends no live session with endGrace', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      said()
      await link.endGrace({ uid: 'alice' })
      await link.endGrace({ sid: 'a1' })
      await link.endGrace({ rid: 'den' })
      assert.deepEqual(said(), [])
    })

    it('counts memberships: a room is left with the last one', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      await link.connect(alice2, [])
      await link.enter(alice2, 'den')
      await link.enter({ uid: 'alice' }, 'den')
      said()
      assert.equal(await link.leave(alice, 'den'), true)
      assert.equal(await link.leave(alice, 'den'), false)
      assert.equal(await link.leave(alice2, 'den'), true)
      assert.deepEqual(said(), [])
      assert.equal(await link.leave({ uid: 'alice' }, 'den'), true)
      assert.deepEqual(said(), ['LEAVE_ROOM alice den'])
    })

    it('ends every membership when the user leaves a room', async () => {
      const { link, said } = join('n')
      await link.connect(alice, ['den'])
      await link.connect(alice2, ['den'])
      await link.enter({ uid: 'alice' }, 'den')
      said()
      assert.equal(await link.leave({ uid: 'alice' }, 'den'), true)
      assert.deepEqual(said(), ['LEAVE_ROOM alice den'])
      assert.equal(await link.leave({ uid: 'alice' }, 'den'), false)
    })

    it('keeps the membership of a user for later sessions until OFFLINE', async () => {
      const { link } = join('n')
      await link.connect(alice, [])
      assert.equal(await link.enter({ uid: 'alice' }, 'den'), true)
      assert.deepEqual((await link.connect(alice2, [])).memberships, ['den'])
      await link.disconnect(alice, 0)
      await link.disconnect(alice2, 0)
      assert.deepEqual((await link.connect(alice, [])).memberships, [])
    })

    it('refuses a membership to a user or session that is not online', async () => {
      const { link, said } = join('n')
      assert.equal(await link.enter({ uid: 'alice' }, 'den'), false)
      await link.connect(alice, [])
      said()
      assert.equal(await link.enter(alice2, 'den'), false)
      assert.equal(await link.leave({ uid: 'bob' }, 'den'), false)
      assert.deepEqual(said(), [])
    })

    it('lists members in the order they entered, with the newest info', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.link.connect({ ...bob, info: { name: 'Bob' } }, ['den'])
      await two.link.connect(alice, ['den'])
      await two.link.connect({ ...alice2, info: { name: 'Alice' } }, [])
      assert.deepEqual(await one.link.members('den'), [
        { uid: 'bob', info: { name: 'Bob' } },
        { uid: 'alice', info: { name: 'Alice' } },
      ])
      assert.deepEqual(await one.link.members('nowhere'), [])
      assert.equal(await one.link.count('nowhere'), 0)
    })

    it('separates namespaces', async () => {
      const [one, other] = [join('n1'), join('n2', 'other')]
      await one.link.connect(alice, ['den'])
      assert.equal(await other.link.isOnline('alice'), false)
      assert.equal(await other.link.count('den'), 0)
    })

    describe('with a clientId', () => {
      const page = { ...alice, clientId: 'page' }
      const again = { ...alice2, clientId: 'page' }

      it('takes over the sid and rooms of a session in grace, and reports nothing', async () => {
        const [one, two] = [join('n1'), join('n2')]
        await one.link.connect(page, ['den'])
        await one.link.enter(page, 'attic')
        await one.link.disconnect(page, 60_000)
        one.said()
        assert.deepEqual(await two.link.connect(again, ['den']), {
          sid: 'a1',
          rooms: ['den', 'attic'],
          memberships: [],
        })
        assert.deepEqual([one.said(), two.said()], [[], []])
        assert.equal(await one.link.locate('a1'), 'n2')
      })

      it('names the previous connection of a live takeover, whose end has no effect', async () => {
        const [one, two] = [join('n1'), join('n2')]
        await one.link.connect(page, ['den'])
        const { sid, previous } = await two.link.connect(again, [])
        assert.deepEqual([sid, previous], ['a1', { node: 'n1', connection: 'a1' }])
        await one.link.disconnect(page, 0)
        assert.equal(await two.link.isOnline('alice'), true)
        await two.link.disconnect({ ...again, sid }, 0)
        assert.equal(await two.link.isOnline('alice'), false)
        assert.equal(await two.link.locate('a1'), undefined)
      })

      it('obeys the connection that took over, and no longer the previous one, also on one node', async () => {
        const { link, said } = join('n')
        await link.connect(page, ['den'])
        const taken = { ...again, sid: (await link.connect(again, [])).sid }
        said()
        assert.equal(await link.enter(page, 'attic'), false)
        assert.equal(await link.leave(page, 'den'), false)
        await link.disconnect(page, 0)
        assert.deepEqual(said(), [])
        assert.equal(await link.enter(taken, 'attic'), true)
        assert.equal(await link.leave(taken, 'den'), true)
        assert.deepEqual(said(), ['ENTER_ROOM alice attic', 'LEAVE_ROOM alice den'])
        const third = await link.connect({ ...page, connection: 'a3' }, [])
        assert.deepEqual(third, {
          sid: 'a1',
          rooms: ['attic'],
          memberships: [],
          previous: { node: 'n', connection: 'a2' },
        })
      })

      it('takes over no session of another user or of another page', async () => {
        const { link } = join('n')
        await link.connect(page, ['den'])
        assert.equal((await link.connect({ ...bob, clientId: 'page' }, [])).sid, 'b1')
        assert.equal((await link.connect({ ...alice2, clientId: 'other' }, [])).sid, 'a2')
        assert.equal((await link.connect({ uid: 'alice', connection: 'a3' }, [])).sid, 'a3')
      })
    })

    it('reports a transition only to the node that caused it', async () => {
      const [one, two] = [join('n1'), join('n2')]
      await one.link.connect(alice, [])
      assert.deepEqual([one.said(), two.said()], [['ONLINE alice'], []])
      await two.link.enter({ uid: 'alice' }, 'den')
      assert.deepEqual([one.said(), two.said()], [[], ['ENTER_ROOM alice den']])
    })

    it('never reports a later transition with an earlier time', async () => {
      const { link, heard } = join('n')
      for (let round = 0; round < 50; round += 1) {
        await link.connect(alice, ['den'])
        await link.disconnect(alice, 0)
      }
      const times = heard.map(({ time }) => time)
      assert.deepEqual(
        times,
        times.toSorted((a, b) => Number(a - b)),
      )
      assert.equal(heard.length, 200)
    })
  })
}
