import assert from 'node:assert/strict'
import { type Comet, type Identified, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

async function comeBack(comet: Comet, identity: Identified, position: string | undefined, clientId?: string) {
  const transport = new MemoryTransport()
  await comet.connect({
    identity,
    transport,
    ...(position === undefined ? {} : { position }),
    ...(clientId === undefined ? {} : { clientId }),
  })
  return transport
}

describe('A kicked client', () => {
  afterEach(closeComets)

  it('is kept away when it comes back by itself, and no other tab is touched', async () => {
    const { comet } = makeComet()
    const [kicked, other] = [await connect(comet, 'alice'), await connect(comet, 'alice')]
    assert.equal(await comet.disconnect({ sid: kicked.sid }), 1)
    await assert.rejects(comeBack(comet, 'alice', kicked.lastEventId), { code: 'STAY_AWAY', status: 204 })
    assert.equal(other.closed, false)
    await comeBack(comet, 'alice', other.lastEventId)
  })

  it('comes back with a reload', async () => {
    const { comet } = makeComet()
    const kicked = await connect(comet, 'alice')
    await comet.disconnect({ uid: 'alice' })
    assert.ok(kicked.closed)
    assert.ok((await comeBack(comet, 'alice', undefined)).opened)
  })

  it('has a mark that does nothing for another user, another page, or changed', async () => {
    const { comet } = makeComet()
    const kicked = await comeBack(comet, 'alice', undefined, 'page')
    const guest = await connect(comet, { anonymous: true })
    await comet.disconnect({ sid: kicked.sid })
    await comet.disconnect({ sid: guest.sid })
    const mark = String(kicked.lastEventId)
    const forged = mark.replace(/.{4}$/, 'AAAA')
    await assert.rejects(comeBack(comet, 'alice', mark, 'page'), { code: 'STAY_AWAY' })
    await assert.rejects(comeBack(comet, { anonymous: true }, guest.lastEventId), { code: 'STAY_AWAY' })
    assert.ok((await comeBack(comet, 'bob', mark, 'page')).opened)
    assert.ok((await comeBack(comet, 'alice', mark, 'other page')).opened)
    assert.ok((await comeBack(comet, 'alice', forged, 'page')).opened)
    assert.ok((await comeBack(comet, { anonymous: true }, mark)).opened)
  })

  it('is kept away by every node, as long as the one that kicked it is there', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }).comet, makeComet({ broker }).comet]
    const kicked = await connect(one, 'alice')
    await two.disconnect({ uid: 'alice' })
    await assert.rejects(comeBack(two, 'alice', kicked.lastEventId), { code: 'STAY_AWAY' })
    await one.close()
    assert.ok((await comeBack(two, 'alice', kicked.lastEventId)).opened)
  })

  it('is kept away by every node, too, when its session was begun on another', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [
      makeComet({ broker, offlineGrace: 60_000 }).comet,
      makeComet({ broker, offlineGrace: 60_000 }).comet,
    ]
    const first = await comeBack(one, 'alice', undefined, 'page')
    first.drop()
    const second = await comeBack(two, 'alice', undefined, 'page')
    assert.equal(second.sid, first.sid)
    await one.disconnect({ uid: 'alice' })
    for (const node of [one, two]) {
      await assert.rejects(comeBack(node, 'alice', second.lastEventId, 'page'), { code: 'STAY_AWAY' })
    }
  })

  it('may have been about to be let in', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { comet, said } = makeComet({ canEnter: () => new Promise((resolve) => (answer = resolve)) })
    const transport = new MemoryTransport()
    const came = comet.connect({ identity: 'alice', transport, rids: ['den'] })
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    answer(true)
    await came
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
    assert.deepEqual([said, comet.stats().sessions], [[], 0])
    await assert.rejects(comeBack(comet, 'alice', transport.lastEventId), { code: 'STAY_AWAY' })
  })

  it('may have been identified just before', async () => {
    const { comet, said } = makeComet()
    const transport = new MemoryTransport()
    const connecting = comet.connect({ identity: 'alice', transport })
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    await connecting
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
    assert.deepEqual([transport.control('ready'), said], [undefined, []])
  })

  it('is told how long to wait when it may come back, though its stream has not begun', async () => {
    const { comet } = makeComet()
    comet.on('online', ({ uid }) => void comet.disconnect({ uid }, { reconnect: true }))
    const { events, text } = await connect(comet, 'alice')
    assert.deepEqual(
      events.map(({ event }) => event),
      ['comet.close'],
    )
    assert.match(text, /^retry: \d{4}$/m)
  })

  it('may be let back, when the host says so', async () => {
    const { comet } = makeComet()
    const kicked = await connect(comet, 'alice')
    await comet.disconnect({ uid: 'alice' }, { reason: 'new version', reconnect: true })
    assert.deepEqual(kicked.control('close'), {
      code: 'DISCONNECTED',
      reason: 'new version',
      reconnect: true,
    })
    assert.ok((await comeBack(comet, 'alice', kicked.lastEventId)).opened)
  })
})
