import assert from 'node:assert/strict'
import { closeComets, connect, makeComet } from '../support/comets.ts'
import { nextWarning } from '../support/warnings.ts'

describe('Comet', () => {
  afterEach(closeComets)

  it('Comet.heard reports a user that another route heard', () => {
    const { comet, reported } = makeComet()
    comet.heard('alice')
    comet.heard(7)
    assert.deepEqual(reported, ['HEARD alice', 'HEARD 7'])
    assert.throws(() => comet.heard(''), { code: 'INVALID_ID' })
  })

  it('Comet.on, once and off add and remove hooks', () => {
    const { comet } = makeComet()
    const calls: string[] = []
    const always = ({ uid }: { uid: string }) => calls.push(`always ${uid}`)
    comet.on('heard', always).once('heard', ({ uid }) => calls.push(`once ${uid}`))
    comet.heard('alice')
    comet.heard('bob')
    comet.off('heard', always).heard('carol')
    assert.deepEqual(calls, ['always alice', 'once alice', 'always bob'])
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
      const warning = await nextWarning(makeComet)
      assert.match(warning.message, /workers/)
    } finally {
      delete process.env.NODE_APP_INSTANCE
    }
  })
})
