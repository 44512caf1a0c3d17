import assert from 'node:assert/strict'
import { UserActivityEvent } from '../../lib/index.ts'
import { connect, postPacket } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import { Inbox, until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const NAMES = Object.fromEntries(Object.entries(UserActivityEvent.Type).map(([name, type]) => [type, name]))

for (const adapter of adapters) {
  describe(`Packets of a session behind ${adapter.name}`, () => {
    /** What happened, in order. */
    let seen: Inbox<string>
    /** What onMessage waits for. */
    let gate: Promise<unknown>
    let host: Host
    let alice: Awaited<ReturnType<typeof connect>>

    beforeEach(async () => {
      seen = new Inbox()
      gate = Promise.resolve()
      host = await adapter.host({
        comet: { canEnter: () => true, onMessage, offlineGrace: 0, packetRate: 100 },
      })
      host.comet.on('activity', ({ type, rid }) =>
        seen.push(rid ? `${NAMES[type]} ${rid}` : `${NAMES[type]}`),
      )
      host.comet.on('message', ({ evt }) => seen.push(`message ${evt}`))
      alice = await connect(host, 'alice')
    })
    afterEach(() => host.close())

    const onMessage = async ({ evt }: { evt: string }) => {
      seen.push(`begin ${evt}`)
      await gate
      if (evt.startsWith('bad')) throw new Error('bad words')
      seen.push(`end ${evt}`)
      return seen.all.length
    }
    const post = (packet: object) => postPacket(host, 'alice', alice.sid, packet)
    const say = (evt: string, id?: string) => post({ type: 'SEND', send: { evt, id } })

    it('are HEARD before they take effect, and both is out before the answer', async () => {
      await post({ type: 'HB' })
      assert.deepEqual(seen.all, ['ONLINE', 'HEARD'])
      await post({ type: 'JOIN', join: { rid: 'lobby' } })
      assert.deepEqual(seen.all.slice(2), ['HEARD', 'ENTER_ROOM lobby'])
      await post({ type: 'LEAVE', leave: { rid: 'lobby' } })
      assert.deepEqual(seen.all.slice(4), ['HEARD', 'LEAVE_ROOM lobby'])
      await say('hi')
      assert.deepEqual(seen.all.slice(6), ['HEARD', 'begin hi', 'end hi', 'message hi'])
      await post({ type: 'BYE' })
      assert.deepEqual(seen.all.slice(10), ['HEARD', 'OFFLINE'])
    })

    it('are HEARD when what they ask for is refused, but not when they are malformed', async () => {
      assert.equal((await say('bad')).status, 500)
      assert.deepEqual(seen.all, ['ONLINE', 'HEARD', 'begin bad'])
      assert.equal((await post({ type: 'DANCE' })).status, 400)
      assert.equal((await postPacket(host, 'mallory', alice.sid, { type: 'HB' })).status, 403)
      assert.deepEqual(seen.all, ['ONLINE', 'HEARD', 'begin bad'])
    })

    it('are handled one after the other, also when one fails', async () => {
      let open = () => {}
      gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const first = say('bad 1')
      await seen.next((item) => item === 'begin bad 1')
      const others = [say('2'), say('3')]
      const next = seen.next((item) => item.startsWith('begin'))
      const early = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 50, 'none'))])
      assert.equal(early, 'none')
      open()
      assert.equal((await first).status, 500)
      for (const other of others) assert.equal((await other).status, 200)
      const order = seen.all.filter((item) => /^(begin|end)/.test(item))
      const evts = order.map((item) => item.replace(/^\w+ /, ''))
      assert.deepEqual(evts.slice(0, 1), ['bad 1'])
      assert.equal(evts[1], evts[2])
      assert.equal(evts[3], evts[4])
      assert.deepEqual([...evts.slice(1)].sort(), ['2', '2', '3', '3'])
    })

    it('do not wait for those of other sessions', async () => {
      let open = () => {}
      gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const slow = say('slow')
      await seen.next((item) => item === 'begin slow')
      const bob = await connect(host, 'bob')
      const answer = await within(postPacket(host, 'bob', bob.sid, { type: 'HB' }), 'the packet of bob')
      assert.equal(answer.status, 204)
      open()
      assert.equal((await slow).status, 200)
    })

    it('have one effect and one answer when a SEND with an id is repeated', async () => {
      const answers = await Promise.all([say('hi', 'id-1'), say('hi', 'id-1')])
      answers.push(await say('hi', 'id-1'))
      assert.deepEqual(new Set(answers.map(({ text }) => text)).size, 1)
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      )
      assert.equal(seen.all.filter((item) => item === 'message hi').length, 1)
    })

    it('have their effect each time without an id, with another one, or when the SEND failed', async () => {
      for (const id of ['', '', 'id-1', 'id-2']) await say('hi', id)
      assert.equal(seen.all.filter((item) => item === 'message hi').length, 4)
      for (let i = 0; i < 2; i++) await say('bad', 'id-3')
      assert.equal(seen.all.filter((item) => item === 'begin bad').length, 2)
    })

    it('are known again by the latest 64 ids', async () => {
      for (let i = 0; i <= 64; i++) await say(`${i}`, `id-${i}`)
      await say('64', 'id-64')
      await say('1', 'id-1')
      assert.equal(seen.all.filter((item) => item.startsWith('begin')).length, 65)
      await say('0', 'id-0')
      assert.equal(seen.all.filter((item) => item.startsWith('begin')).length, 66)
    })

    it('put the session in rooms and take it out', async () => {
      await post({ type: 'JOIN', join: { rid: 'lobby' } })
      await post({ type: 'JOIN', join: { rid: 'lobby' } })
      await host.comet.publish({ rid: 'lobby', evt: 'in' })
      assert.equal((await alice.next('message')).data, 'in')
      await post({ type: 'LEAVE', leave: { rid: 'lobby' } })
      await host.comet.publish({ rid: 'lobby', evt: 'out' })
      await host.comet.publish({ evt: 'world' })
      assert.equal((await alice.next('message')).data, 'world')
      assert.equal(seen.all.filter((item) => item === 'ENTER_ROOM lobby').length, 1)
      assert.deepEqual(await host.comet.members('lobby'), [])
    })

    it('leave every room with a JOIN of none', async () => {
      for (const rid of ['a', 'b']) await post({ type: 'JOIN', join: { rid } })
      await post({ type: 'JOIN', join: { rid: '' } })
      assert.deepEqual(
        seen.all.filter((item) => item.startsWith('LEAVE')),
        ['LEAVE_ROOM a', 'LEAVE_ROOM b'],
      )
      assert.deepEqual(host.comet.dump().rooms, [])
    })

    it('end the stream with a BYE, which tells the client to stay away', async () => {
      assert.equal((await post({ type: 'BYE' })).status, 204)
      const { data } = await alice.next('comet.close')
      assert.deepEqual({ ...JSON.parse(data), reason: '' }, { code: 'BYE', reason: '', reconnect: false })
      assert.equal(await alice.ended, true)
      assert.equal(await host.comet.isOnline('alice'), false)
      assert.equal((await post({ type: 'HB' })).status, 404)
    })

    it('do not reach a session whose stream was dropped', async () => {
      alice.destroy()
      await until(() => host.comet.stats().sessions === 0, 'gone')
      assert.equal((await post({ type: 'HB' })).status, 404)
    })
  })
}
