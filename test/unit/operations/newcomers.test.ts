import assert from 'node:assert/strict'
import type { CometOptions } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { collectGarbage } from '../../support/garbage.ts'
import { Gate, until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

/** A Comet whose `canEnter` waits at a gate. `asked` counts its calls. */
function makeSlow(options: CometOptions = {}) {
  const gate = new Gate()
  let asked = 0
  const { comet, reported } = makeComet({
    maxSessionsPerUser: 2,
    connectRate: 1_000_000,
    offlineGrace: 60_000,
    canEnter: async ({ rid }) => {
      asked += 1
      await gate.pass()
      return rid !== 'vault'
    },
    ...options,
  })
  const visit = (request: { uid?: string; clientId?: string; rids?: string[]; position?: string } = {}) => {
    const { uid = 'alice', rids = ['den'], ...rest } = request
    const transport = new MemoryTransport()
    const connected = comet.connect({ identity: uid, transport, rids, ...rest }).then(
      () => 'let in',
      (error) => error.code as string,
    )
    return { transport, connected }
  }
  return { comet, reported, gate, visit, asked: () => asked }
}

describe('Comet.connect while canEnter has not answered', () => {
  afterEach(closeComets)

  it('lets maxSessionsPerUser of a user wait: one more gives the oldest the temporary answer', async () => {
    const { comet, gate, visit } = makeSlow()
    const visits = Array.from({ length: 5 }, () => visit())
    for (const { connected } of visits.slice(0, 3)) assert.equal(await connected, 'UNAVAILABLE')
    const other = visit({ uid: 'bob' })
    gate.open()
    assert.deepEqual(await Promise.all(visits.slice(3).map(({ connected }) => connected)), [
      'let in',
      'let in',
    ])
    assert.equal(await other.connected, 'let in')
    assert.equal(comet.stats().sessions, 3)
  })

  it("lets as many wait with onExcess 'reject', and answers one more with 429 and without asking", async () => {
    const { gate, visit, asked } = makeSlow({ onExcess: 'reject' })
    const visits = [visit(), visit()]
    for (let more = 0; more < 3; more += 1) assert.equal(await visit().connected, 'TOO_MANY_SESSIONS')
    assert.equal(asked(), 2)
    gate.open()
    for (const { connected } of visits) assert.equal(await connected, 'let in')
    assert.equal(await visit().connected, 'TOO_MANY_SESSIONS')
    assert.equal(asked(), 2)
  })

  it('asks about nobody on a node that is full', async () => {
    const { comet, visit, asked } = makeSlow({ maxSessions: 1 })
    await comet.connect({ identity: 'bob', transport: new MemoryTransport() })
    assert.equal(await visit().connected, 'UNAVAILABLE')
    assert.equal(asked(), 0)
  })

  it('has a later request of the same page replace the one that waits', async () => {
    const { comet, gate, visit } = makeSlow()
    const visits = Array.from({ length: 4 }, () => visit({ clientId: 'page' }))
    for (const { transport, connected } of visits.slice(0, 3)) {
      assert.equal(await connected, 'let in')
      assert.deepEqual(
        [transport.control('close')?.code, transport.control('ready')],
        ['TAKEN_OVER', undefined],
      )
    }
    gate.open()
    assert.equal(await visits[3]?.connected, 'let in')
    assert.deepEqual([visits[3]?.transport.closed, comet.stats().sessions], [false, 1])
  })

  it('lets a later request of the same page count, though the app was quicker about it', async () => {
    const { comet, gate, visit } = makeSlow()
    const early = visit({ clientId: 'page' })
    const late = visit({ clientId: 'page', rids: [] })
    gate.open()
    assert.deepEqual([await early.connected, await late.connected], ['let in', 'let in'])
    assert.deepEqual([early.transport.closed, late.transport.closed], [true, false])
    assert.equal(comet.stats().sessions, 1)
  })

  it('drops a client that goes, at once', async () => {
    const { comet, gate, visit } = makeSlow()
    const gone = visit()
    gone.transport.drop()
    assert.equal(await gone.connected, 'let in')
    const stay = [visit(), visit()]
    gate.open()
    for (const { connected } of stay) assert.equal(await connected, 'let in')
    assert.deepEqual([comet.stats().sessions, comet.stats().closes], [2, {}])
    assert.equal(gone.transport.opened, false)
  })

  it('keeps nothing of clients that have gone, though canEnter never answers', async () => {
    const { comet } = makeComet({ canEnter: () => new Promise(() => {}), offlineGrace: 60_000 })
    const seen: WeakRef<MemoryTransport>[] = []
    const visitAndGo = async () => {
      const transport = new MemoryTransport()
      seen.push(new WeakRef(transport))
      const connecting = comet.connect({ identity: 'alice', transport, rids: ['a', 'b'] })
      transport.drop()
      await connecting
    }
    for (let count = 0; count < 50; count += 1) await visitAndGo()
    await until(() => {
      collectGarbage()
      return seen.every((transport) => transport.deref() === undefined)
    })
  })

  it('asks about no room of a client that has gone already', async () => {
    const { visit, asked, comet } = makeSlow()
    const transport = new MemoryTransport()
    transport.drop()
    await comet.connect({ identity: 'alice', transport, rids: ['den'] })
    assert.equal(asked(), 0)
    visit()
    assert.equal(asked(), 1)
  })

  it('evicts no live session for a request that is refused', async () => {
    const { comet, gate, visit } = makeSlow()
    const live = [await connect(comet, 'alice'), await connect(comet, 'alice')]
    const refused = visit({ rids: ['vault'] })
    const more = [visit({ rids: ['vault'] }), visit({ rids: ['vault'] })]
    assert.equal(await refused.connected, 'UNAVAILABLE')
    gate.open()
    for (const { connected } of more) assert.equal(await connected, 'ROOM_REFUSED')
    assert.deepEqual(
      live.map(({ closed }) => closed),
      [false, false],
    )
    assert.equal(await visit().connected, 'let in')
    assert.deepEqual(
      live.map((transport) => transport.control('close')?.code),
      ['EVICTED', undefined],
    )
  })

  it('gives those that wait the temporary answer when the Comet closes', async () => {
    const { comet, visit } = makeSlow()
    const waiting = [visit(), visit({ uid: 'bob' })]
    await comet.close()
    for (const { connected } of waiting) assert.equal(await connected, 'SHUTTING_DOWN')
  })

  it('is ended by a Comet.disconnect that came before identify answered, as if it had come after', async () => {
    const { comet } = makeSlow()
    const early = comet.watchDisconnects()
    const transport = new MemoryTransport()
    await comet.disconnect({ uid: 'alice' }, { reason: 'signed out' })
    await comet.disconnect({ uid: 'bob' })
    const late = comet.watchDisconnects()
    await comet.connect({ identity: 'alice', transport, rids: ['den'], watch: early })
    assert.deepEqual(transport.control('close'), {
      code: 'DISCONNECTED',
      reason: 'signed out',
      reconnect: false,
    })
    early.end()
    const other = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport: other, watch: late })
    assert.equal(other.closed, false)
    late.end()
  })

  it('is ended by Comet.disconnect, and does not wait for canEnter', async () => {
    const { comet, visit } = makeSlow()
    const { transport, connected } = visit()
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    assert.equal(await connected, 'let in')
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
  })
})

describe('Comet.connect: an earlier request of a page that arrives late', () => {
  afterEach(closeComets)

  it('does not take over the later one, where the positions tell', async () => {
    const { comet, gate, visit } = makeSlow()
    gate.open()
    await comet.publish({ uid: 'alice', evt: '1' })
    const early = comet.history({ uid: 'alice' })[0]?.position as string
    await comet.publish({ uid: 'alice', evt: '2' })
    const late = comet.history({ uid: 'alice' })[1]?.position as string
    const page = visit({ clientId: 'page', position: late })
    assert.equal(await page.connected, 'let in')
    assert.equal(await visit({ clientId: 'page', position: early }).connected, 'UNAVAILABLE')
    assert.equal(page.transport.closed, false)
    assert.equal(await visit({ clientId: 'other', position: early }).connected, 'let in')
    const next = visit({ clientId: 'page', position: late })
    assert.equal(await next.connected, 'let in')
    assert.equal(page.transport.control('close')?.code, 'TAKEN_OVER')
    next.transport.drop()
    assert.equal(await visit({ clientId: 'page', position: early }).connected, 'let in')
  })

  it('does not take over the later one when identify took longer', async () => {
    const { comet } = makeSlow()
    const [early, late] = [comet.watchDisconnects(), comet.watchDisconnects()]
    const page = new MemoryTransport()
    const request = { identity: 'alice', clientId: 'page' }
    await comet.connect({ ...request, transport: page, watch: late })
    const transport = new MemoryTransport()
    await assert.rejects(comet.connect({ ...request, transport, watch: early }), { code: 'UNAVAILABLE' })
    assert.equal(page.closed, false)
    await comet.connect({ ...request, transport, watch: comet.watchDisconnects() })
    assert.equal(page.control('close')?.code, 'TAKEN_OVER')
  })

  it('does not replace the later one while that waits', async () => {
    const { comet, gate, visit } = makeSlow()
    await comet.publish({ uid: 'alice', evt: '1' })
    await comet.publish({ uid: 'alice', evt: '2' })
    const [early, late] = comet.history({ uid: 'alice' }).map(({ position }) => position)
    const page = visit({ clientId: 'page', position: String(late) })
    assert.equal(await visit({ clientId: 'page', position: String(early) }).connected, 'UNAVAILABLE')
    gate.open()
    assert.equal(await page.connected, 'let in')
    assert.equal(page.transport.closed, false)
  })
})
