import assert from 'node:assert/strict'
import { UserActivityEvent } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, postPacket } from '../support/clients.ts'
import { Gate, Inbox, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const NAMES = Object.fromEntries(Object.entries(UserActivityEvent.Type).map(([name, type]) => [type, name]))

describe('POST packet, the effects', () => {
  /** What happened, in order. */
  let seen: Inbox<string>
  /** Where onMessage waits. */
  let gate: Gate
  let app: TestApp
  let alice: Awaited<ReturnType<typeof connect>>

  beforeEach(async () => {
    seen = new Inbox()
    gate = new Gate()
    gate.open()
    app = await startApp(nodeHttp, {
      comet: { canEnter: () => true, onMessage, offlineGrace: 0, packetRate: 100 },
    })
    app.comet.on('activity', ({ type, rid }) => seen.push(rid ? `${NAMES[type]} ${rid}` : `${NAMES[type]}`))
    app.comet.on('message', ({ evt }) => seen.push(`message ${evt}`))
    alice = await connect(app, 'alice')
  })
  afterEach(() => app.close())

  const onMessage = async ({ evt }: { evt: string }) => {
    seen.push(`begin ${evt}`)
    await gate.pass()
    if (evt.startsWith('bad')) throw new Error('bad words')
    seen.push(`end ${evt}`)
    return seen.all.length
  }
  const post = (packet: object) => postPacket(app, 'alice', alice.sid, packet)
  const send = (evt: string, id?: string) => post({ type: 'SEND', send: { evt, id } })
  const begun = () => seen.all.filter((item) => item.startsWith('begin'))

  it('begin with HEARD, and all hooks are called before the answer', async () => {
    await post({ type: 'HB' })
    assert.deepEqual(seen.all, ['ONLINE', 'HEARD'])
    await post({ type: 'JOIN', join: { rid: 'lobby' } })
    assert.deepEqual(seen.all.slice(2), ['HEARD', 'ENTER_ROOM lobby'])
    await post({ type: 'LEAVE', leave: { rid: 'lobby' } })
    assert.deepEqual(seen.all.slice(4), ['HEARD', 'LEAVE_ROOM lobby'])
    await send('hi')
    assert.deepEqual(seen.all.slice(6), ['HEARD', 'begin hi', 'end hi', 'message hi'])
    await post({ type: 'BYE' })
    assert.deepEqual(seen.all.slice(10), ['HEARD', 'OFFLINE'])
  })

  it('include HEARD when a packet is refused, but not when it is malformed', async () => {
    assert.equal((await send('bad')).status, 500)
    assert.deepEqual(seen.all, ['ONLINE', 'HEARD', 'begin bad'])
    assert.equal((await post({ type: 'DANCE' })).status, 400)
    assert.equal((await postPacket(app, 'mallory', alice.sid, { type: 'HB' })).status, 403)
    assert.deepEqual(seen.all, ['ONLINE', 'HEARD', 'begin bad'])
  })

  it('come one packet after the other in a session, also when one fails', async () => {
    gate = new Gate()
    let requests = 0
    app.server.on('request', () => {
      requests += 1
    })
    const first = send('bad 1')
    await gate.arrival()
    const others = [send('2'), send('3')]
    await until(() => requests === 3, 'all requested')
    // Whatever the others would do by themselves was done when a later request was answered.
    const bob = await connect(app, 'bob')
    assert.equal((await postPacket(app, 'bob', bob.sid, { type: 'HB' })).status, 204)
    assert.deepEqual(begun(), ['begin bad 1'])
    gate.open()
    assert.equal((await first).status, 500)
    for (const other of others) assert.equal((await other).status, 200)
    const order = seen.all.filter((item) => /^(begin|end)/.test(item))
    const evts = order.map((item) => item.replace(/^\w+ /, ''))
    assert.equal(evts[0], 'bad 1')
    assert.equal(evts[1], evts[2])
    assert.equal(evts[3], evts[4])
    assert.deepEqual([...evts.slice(1)].sort(), ['2', '2', '3', '3'])
  })

  it('do not wait for packets of other sessions', async () => {
    gate = new Gate()
    const slow = send('slow')
    await gate.arrival()
    const bob = await connect(app, 'bob')
    assert.equal((await postPacket(app, 'bob', bob.sid, { type: 'HB' })).status, 204)
    gate.open()
    assert.equal((await slow).status, 200)
  })

  it('happen once, with one answer, when a SEND with an id is repeated', async () => {
    const answers = await Promise.all([send('hi', 'id-1'), send('hi', 'id-1')])
    answers.push(await send('hi', 'id-1'))
    assert.deepEqual(new Set(answers.map(({ text }) => text)).size, 1)
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.equal(seen.all.filter((item) => item === 'message hi').length, 1)
  })

  it('happen each time for a SEND without an id, with another id, or that failed before', async () => {
    for (const id of ['', '', 'id-1', 'id-2']) await send('hi', id)
    assert.equal(seen.all.filter((item) => item === 'message hi').length, 4)
    for (let i = 0; i < 2; i++) await send('bad', 'id-3')
    assert.equal(seen.all.filter((item) => item === 'begin bad').length, 2)
  })

  it('are remembered for the latest 64 ids', async () => {
    for (let i = 0; i <= 64; i++) await send(`${i}`, `id-${i}`)
    await send('64', 'id-64')
    await send('1', 'id-1')
    assert.equal(begun().length, 65)
    await send('0', 'id-0')
    assert.equal(begun().length, 66)
  })

  it('of JOIN and LEAVE: the session gets the events of the room, or no longer', async () => {
    await post({ type: 'JOIN', join: { rid: 'lobby' } })
    await post({ type: 'JOIN', join: { rid: 'lobby' } })
    await app.comet.publish({ rid: 'lobby', evt: 'in' })
    assert.equal((await alice.next('message')).data, 'in')
    await post({ type: 'LEAVE', leave: { rid: 'lobby' } })
    await app.comet.publish({ rid: 'lobby', evt: 'out' })
    await app.comet.publish({ evt: 'world' })
    assert.equal((await alice.next('message')).data, 'world')
    assert.equal(seen.all.filter((item) => item === 'ENTER_ROOM lobby').length, 1)
    assert.deepEqual(await app.comet.members('lobby'), [])
  })

  it('of a JOIN of no room: the session leaves every room', async () => {
    for (const rid of ['a', 'b']) await post({ type: 'JOIN', join: { rid } })
    await post({ type: 'JOIN', join: { rid: '' } })
    assert.deepEqual(
      seen.all.filter((item) => item.startsWith('LEAVE')),
      ['LEAVE_ROOM a', 'LEAVE_ROOM b'],
    )
    assert.deepEqual(app.comet.dump().rooms, [])
  })

  it('of BYE: the stream ends and tells the client to stay away', async () => {
    assert.equal((await post({ type: 'BYE' })).status, 204)
    const { data } = await alice.next('comet.close')
    assert.deepEqual({ ...JSON.parse(data), reason: '' }, { code: 'BYE', reason: '', reconnect: false })
    assert.equal(await alice.ended, true)
    assert.equal(await app.comet.isOnline('alice'), false)
    assert.equal((await post({ type: 'HB' })).status, 404)
  })

  it('do not happen, with 404, for a session whose connection was cut', async () => {
    alice.destroy()
    await untilSessions(app, 0)
    assert.equal((await post({ type: 'HB' })).status, 404)
  })
})
