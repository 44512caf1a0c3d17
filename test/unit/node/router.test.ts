import assert from 'node:assert/strict'
import type { HistoryTarget } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

describe('Comet.publish', () => {
  afterEach(closeComets)

  it('delivers to all sessions of a user and to nobody else', async () => {
    const { comet } = makeComet()
    const [phone, laptop, other] = [
      await connect(comet, 'alice'),
      await connect(comet, 'alice'),
      await connect(comet, 'bob'),
    ]
    await comet.publish({ uid: 'alice', evt: 'hi' })
    await until(() => phone.published.length > 0)
    assert.deepEqual([phone.published, laptop.published, other.published], [['hi'], ['hi'], []])
  })

  it('delivers to every session in a room, whatever put it there', async () => {
    const { comet } = makeComet()
    const byUrl = await connect(comet, 'alice', 'den')
    const byIdentity = await connect(comet, { uid: 'bob', rooms: ['den'] })
    const byMembership = await connect(comet, 'carol')
    const anonymous = await connect(comet, { anonymous: true }, 'den')
    const outside = await connect(comet, 'dave')
    await comet.enter({ uid: 'carol' }, 'den')
    await comet.publish({ rid: 'den', evt: 'hi' })
    await until(() => byUrl.published.length > 0)
    const inside = [byUrl, byIdentity, byMembership, anonymous]
    assert.deepEqual(
      inside.map(({ published }) => published),
      [['hi'], ['hi'], ['hi'], ['hi']],
    )
    assert.deepEqual(outside.published, [])
  })

  it('delivers to the world', async () => {
    const { comet } = makeComet()
    const clients = [await connect(comet, 'alice'), await connect(comet, { anonymous: true })]
    await comet.publish({ evt: 'hi' })
    await until(() => clients.every(({ published }) => published.length > 0))
    assert.deepEqual(
      clients.map(({ published }) => published),
      [['hi'], ['hi']],
    )
  })

  it('goes by the uid when there is also a rid', async () => {
    const { comet } = makeComet()
    const [alice, bob] = [await connect(comet, 'alice'), await connect(comet, 'bob', 'den')]
    await comet.publish({ uid: 'alice', rid: 'den', evt: 'hi' })
    await until(() => alice.published.length > 0)
    assert.deepEqual(bob.published, [])
  })

  it('takes a numeric uid in decimal, as identify does', async () => {
    const { comet } = makeComet()
    const clients = [await connect(comet, 42), await connect(comet, 9007199254740993n)]
    await comet.publish({ uid: '42', evt: 'a' })
    await comet.publish({ uid: 9007199254740993n, evt: 'b' })
    await until(() => clients.every(({ published }) => published.length > 0))
    assert.deepEqual(
      clients.map(({ published }) => published),
      [['a'], ['b']],
    )
  })

  it('skips an excepted user or session', async () => {
    const { comet } = makeComet()
    const [alice, phone, laptop] = [
      await connect(comet, 'alice', 'den'),
      await connect(comet, 'bob', 'den'),
      await connect(comet, 'bob', 'den'),
    ]
    await comet.publish({ rid: 'den', evt: 'not bob' }, { except: { uid: 'bob' } })
    await comet.publish({ rid: 'den', evt: 'not the phone' }, { except: { sid: phone.sid } })
    await comet.publish({ evt: 'world but bob' }, { except: { uid: 'bob' } })
    await until(() => alice.published.length === 3)
    assert.deepEqual(phone.published, [])
    assert.deepEqual(laptop.published, ['not the phone'])
  })

  it('writes the events of one turn in one piece, in order over every kind of event and target', async () => {
    const { comet } = makeComet()
    const alice = await connect(comet, 'alice', 'den', 'attic')
    const before = alice.writes
    await comet.publish({ evt: '1' })
    await comet.publish({ uid: 'alice', event: 'n', data: '2' })
    await comet.publish({ rid: ['attic', 'den'], evt: '3' })
    await comet.publish({ sid: alice.sid, event: 'n', data: '4' })
    await comet.publish({ uid: ['bob', 'alice'], evt: '5' })
    await comet.publish({ event: 'n', data: '6' }, { except: { uid: ['bob', 'carol'] } })
    await until(() => alice.published.length > 0)
    const texts = alice.events.slice(1).map(({ event, data }) => (event === 'n' ? JSON.parse(data) : data))
    assert.deepEqual(texts, ['1', '2', '3', '4', '5', '6'])
    assert.equal(alice.writes, before + 1)
  })
})

describe('Comet.publish from a hook', () => {
  afterEach(closeComets)

  it('comes after the event that is being delivered, for all clients and in the history', async () => {
    const keepHistory = ({ rid }: HistoryTarget): boolean => {
      if (rid === undefined) return true
      throw new Error('history failed')
    }
    const { comet } = makeComet({ keepHistory })
    comet.on('error', () => void comet.publish({ evt: 'an error' }))
    const clients = [await connect(comet, 'alice', 'den'), await connect(comet, 'bob', 'den')]
    await comet.publish({ rid: 'den', evt: 'hello' })
    await new Promise(setImmediate)
    for (const { published } of clients) assert.deepEqual(published, ['hello', 'an error'])
    const back = new PacedTransport()
    const position = String(clients[0]?.lastEventId)
    await comet.connect({ identity: 'alice', transport: back, rids: ['den'], position })
    await back.readAll()
    assert.deepEqual(back.published, [])
  })

  it('takes a promise of keepHistory for a no', async () => {
    const { comet } = makeComet({ keepHistory: (async () => false) as unknown as () => boolean })
    comet.on('error', () => {})
    await comet.publish({ rid: 'den', evt: 'secret' })
    assert.deepEqual(comet.history({ rid: 'den' }), [])
  })
})
