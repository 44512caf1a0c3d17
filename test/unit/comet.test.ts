import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type CometError, MemoryBroker } from '../../lib/index.ts'
import { closeComets, connect, makeComet } from '../support/comets.ts'
import { until } from '../support/inbox.ts'

describe('Comet', () => {
  afterEach(closeComets)

  describe('Comet.publish', () => {
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

    it('writes the events of one turn in one piece, in order over user, room and world', async () => {
      const { comet } = makeComet()
      const alice = await connect(comet, 'alice', 'den')
      const before = alice.writes
      await comet.publish({ evt: '1' })
      await comet.publish({ uid: 'alice', evt: '2' })
      await comet.publish({ rid: 'den', evt: '3' })
      await until(() => alice.published.length > 0)
      assert.deepEqual(alice.published, ['1', '2', '3'])
      assert.equal(alice.writes, before + 1)
    })

    it('rejects its promise and calls "error" once on a failure, without an unhandled rejection', async () => {
      const { comet } = makeComet()
      const errors: Error[] = []
      comet.on('error', (error) => errors.push(error))
      comet.publish({ uid: undefined as never, evt: 'for nobody' })
      await assert.rejects(comet.publish({ rid: '', evt: 'for nobody' }), { code: 'INVALID_TARGET' })
      await new Promise(setImmediate)
      assert.deepEqual(
        errors.map((error) => (error as CometError).code),
        ['INVALID_TARGET', 'INVALID_TARGET'],
      )
    })

    it('calls "error" only once when a hook returns the promise of a failed publish', async () => {
      const { comet } = makeComet()
      const errors: Error[] = []
      comet.on('error', (error) => errors.push(error))
      comet.on('heard', () => comet.publish({ rid: '', evt: 'for nobody' }))
      comet.heard('alice')
      await new Promise(setImmediate)
      assert.equal(errors.length, 1)
    })

    it('works in the hooks that are called while a node closes', async () => {
      const broker = new MemoryBroker()
      const [one, two] = [makeComet({ broker }), makeComet({ broker })]
      one.comet.on('leave', ({ uid, rid }) => one.comet.publish({ rid, evt: `${uid} left` }))
      one.comet.on('error', (error) => assert.fail(error))
      await connect(one.comet, 'alice', 'den')
      const bob = await connect(two.comet, 'bob', 'den')
      await one.comet.close()
      await until(() => bob.published.length > 0)
      assert.deepEqual(bob.published, ['alice left'])
    })

    it('rejects once the Comet is closed', async () => {
      const { comet } = makeComet()
      comet.on('error', () => {})
      await comet.close()
      await assert.rejects(comet.publish({ evt: 'late' }), { code: 'SHUTTING_DOWN' })
    })

    it('causes a process warning when it fails and nothing listens', async () => {
      const { comet } = makeComet()
      const warned = once(process, 'warning')
      comet.publish({ rid: undefined as never, evt: 'for nobody' })
      const [warning] = await warned
      assert.equal(warning.name, 'CometWarning')
      assert.match(warning.message, /rid/)
    })
  })

  describe('Comet', () => {
    it('Comet.heard reports a user that another route heard', () => {
      const { comet, said } = makeComet()
      comet.heard('alice')
      comet.heard(7)
      assert.deepEqual(said, ['HEARD alice', 'HEARD 7'])
      assert.throws(() => comet.heard(''), { code: 'INVALID_ID' })
    })

    it('Comet.on, once and off add and remove hooks', () => {
      const { comet } = makeComet()
      const heard: string[] = []
      const always = ({ uid }: { uid: string }) => heard.push(`always ${uid}`)
      comet.on('heard', always).once('heard', ({ uid }) => heard.push(`once ${uid}`))
      comet.heard('alice')
      comet.heard('bob')
      comet.off('heard', always).heard('carol')
      assert.deepEqual(heard, ['always alice', 'once alice', 'always bob'])
    })

    it('Comet.enter, leave and disconnect return false or 0 for a session or user that is not there', async () => {
      const { comet } = makeComet()
      const alice = await connect(comet, 'alice')
      const { sid } = alice
      alice.drop()
      assert.equal(await comet.enter({ sid }, 'den'), false)
      assert.equal(await comet.leave({ sid }, 'den'), false)
      assert.equal(await comet.enter({ sid: 'nonsense' }, 'den'), false)
      assert.equal(await comet.enter({ uid: 'alice' }, 'den'), false)
      assert.equal(await comet.disconnect({ sid }), 0)
      assert.equal(await comet.disconnect({ uid: 'alice' }), 0)
    })

    it('Comet.enter, leave, members, isOnline and disconnect name the argument that is wrong', async () => {
      const { comet } = makeComet()
      await assert.rejects(comet.enter({ uid: 'alice' }, ''), { code: 'INVALID_ID', message: /rid/ })
      await assert.rejects(comet.members(undefined as never), { code: 'INVALID_ID', message: /rid/ })
      await assert.rejects(comet.isOnline(null as never), { code: 'INVALID_ID', message: /uid/ })
      for (const target of [undefined, null, {}, 'alice', { user: 'alice' }, { uid: 'alice', sid: 's' }]) {
        const message = /^The (target|occupant) must be \{ uid \} or \{ sid \}/
        await assert.rejects(comet.disconnect(target as never), { code: 'INVALID_ID', message })
        await assert.rejects(comet.enter(target as never, 'den'), { code: 'INVALID_ID', message })
        await assert.rejects(comet.leave(target as never, 'den'), { code: 'INVALID_ID', message })
      }
    })

    it('new Comet warns that the workers of one app do not share a MemoryBroker', async () => {
      process.env.NODE_APP_INSTANCE = '1'
      try {
        const warned = once(process, 'warning')
        makeComet()
        const [warning] = await warned
        assert.match(warning.message, /workers/)
      } finally {
        delete process.env.NODE_APP_INSTANCE
      }
    })
  })
})
