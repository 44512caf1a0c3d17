import assert from 'node:assert/strict'
import { type Comet, type CometOptions, type ConnectRequest, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { Gate, until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { answerLate } from '../../support/slow-presence.ts'

const LATER = { code: 'UNAVAILABLE', message: 'A later request of this page was served.' }

/** Opens a stream of a page. */
function open(comet: Comet, requestNumber: number | undefined, more: Partial<ConnectRequest> = {}) {
  const transport = new MemoryTransport()
  const connected = comet.connect({
    identity: 'alice',
    clientId: 'page',
    transport,
    requestNumber,
    ...more,
  })
  connected.catch(() => {})
  return { transport, connected }
}

/** Opens a stream, and waits for it. */
async function page(...args: Parameters<typeof open>): Promise<MemoryTransport> {
  const { transport, connected } = open(...args)
  await connected
  return transport
}

for (const place of ['one node', 'two nodes']) {
  const nodes = (options: CometOptions = {}) => {
    const broker = new MemoryBroker()
    const make = () => makeComet({ broker, offlineGrace: 60_000, ...options })
    const one = make()
    return { one, two: place === 'one node' ? one : make() }
  }

  describe(`ConnectRequest.requestNumber on ${place}`, () => {
    afterEach(closeComets)

    it('gives an earlier request the temporary answer, and leaves the later one as it is', async () => {
      const { one, two } = nodes()
      const errors: Error[] = []
      for (const { comet } of [one, two]) comet.on('error', (error) => errors.push(error))
      const late = await page(one.comet, 2, { rids: ['den'] })
      one.reported.splice(0)
      two.reported.splice(0)
      const early = open(two.comet, 1, { rids: ['den', 'attic'] })
      await assert.rejects(early.connected, LATER)
      assert.deepEqual([early.transport.opened, early.transport.closed], [false, false])
      assert.deepEqual([one.reported, two.reported, errors], [[], [], []])
      assert.equal(late.closed, false)
      assert.deepEqual([await one.comet.count('attic'), await two.comet.count('attic')], [0, 0])
      const sids = [one, two].flatMap(({ comet }) => comet.dump().sessions.map(({ sid }) => sid))
      assert.deepEqual(Array.from(new Set(sids)), [late.sid])
      await one.comet.publish({ rid: 'den', evt: 'hi' })
      await until(() => late.published.length === 1)
      assert.equal((await page(two.comet, 3)).sid, late.sid)
      await until(() => late.closed)
      assert.equal(late.control('close')?.code, 'TAKEN_OVER')
    })

    it('counts more than the position', async () => {
      const { one, two } = nodes()
      const first = await page(one.comet, 1, { rids: ['den'] })
      const begin = first.control('ready') && first.lastEventId
      await one.comet.publish({ rid: 'den', evt: '1' })
      await until(() => first.published.length === 1)
      const second = await page(two.comet, 5, { position: String(first.lastEventId) })
      const third = await page(one.comet, 6, { position: String(begin) })
      assert.equal(third.sid, second.sid)
      const early = open(two.comet, 4, { position: String(third.lastEventId) })
      await assert.rejects(early.connected, LATER)
      assert.equal(third.closed, false)
    })

    it('does not count against a session in grace', async () => {
      const { one, two } = nodes()
      const first = await page(one.comet, 9, { rids: ['den'] })
      first.drop()
      const anew = await page(two.comet, 1)
      assert.deepEqual([anew.sid, anew.control('ready')?.rooms], [first.sid, ['den']])
      assert.equal((await page(one.comet, 2)).sid, first.sid)
    })

    it('does not count where it is the same, or one of the two has none', async () => {
      const { one, two } = nodes()
      let before = await page(one.comet, 5)
      for (const number of [5, undefined, 2, 2]) {
        const after = await page(two.comet, number)
        await until(() => before.closed)
        assert.equal(after.sid, before.sid)
        before = after
      }
    })

    it('tells an earlier request though a later one is being admitted', async () => {
      const gate = new Gate()
      let isSlow = true
      const broker = new MemoryBroker()
      const make = () =>
        makeComet({
          broker,
          offlineGrace: 60_000,
          canEnter: async ({ rid }) => {
            if (isSlow && rid === 'slow') await gate.pass()
            return true
          },
        }).comet
      const one = make()
      const two = place === 'one node' ? one : make()
      const late = open(one, 2, { rids: ['slow'] })
      await gate.arrival()
      isSlow = false
      const early = open(two, 1, { rids: ['slow'] })
      if (place === 'one node') await assert.rejects(early.connected, LATER)
      // Another node does not know of it yet: then it takes over.
      else await early.connected
      gate.open()
      await late.connected
      await until(() => early.transport.closed === (place === 'two nodes'))
      const sids = new Set([one, two].flatMap((comet) => comet.dump().sessions.map(({ sid }) => sid)))
      assert.deepEqual([late.transport.closed, Array.from(sids)], [false, [late.transport.sid]])
    })
  })
}

describe('ConnectRequest.requestNumber', () => {
  afterEach(closeComets)

  it('counts more than the order in which requests came and are identified', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    const [first, second] = [comet.watchDisconnects(), comet.watchDisconnects()]
    const early = await page(comet, 1, { watch: second })
    // It came before, and `identify` took longer.
    const late = await page(comet, 2, { watch: first })
    assert.deepEqual([early.closed, late.closed], [true, false])
    assert.equal(late.sid, early.sid)
  })

  it('is of no effect without a clientId, and on other pages', async () => {
    const { comet } = makeComet()
    await page(comet, 9)
    const transport = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport, requestNumber: 1 })
    const other = await page(comet, 1, { clientId: 'other' })
    assert.deepEqual([transport.closed, other.closed, comet.stats().sessions], [false, false, 3])
  })

  it('ends quietly a refused request that was ended before presence answered', async () => {
    const broker = new MemoryBroker()
    const gate = new Gate()
    let isSlow = false
    const presence = answerLate(broker.presence, async () => {
      if (isSlow) await gate.pass()
    })
    const make = () => makeComet({ broker, presence, offlineGrace: 60_000 }).comet
    const [one, two] = [make(), make()]
    const late = await page(one, 2)
    isSlow = true
    const early = open(two, 1)
    await gate.arrival()
    isSlow = false
    early.transport.drop()
    gate.open()
    await early.connected
    assert.equal(late.closed, false)
    assert.equal(two.stats().sessions, 0)
    assert.deepEqual(await one.sessionsOf('alice'), one.dump().sessions)
  })
})
