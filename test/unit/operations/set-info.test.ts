import assert from 'node:assert/strict'
import { MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'

describe('Comet.setInfo', () => {
  afterEach(closeComets)

  it('changes what members shows of a user, on any node, until the user goes offline', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }).comet, makeComet({ broker }).comet]
    const identity = { uid: 7, info: { status: 'here' } }
    const first = await connect(one, identity, 'den')
    assert.equal(await two.setInfo(7, { status: 'away' }), true)
    const second = await connect(two, identity, 'den')
    assert.deepEqual(await one.members('den'), [{ uid: '7', info: { status: 'away' } }])
    first.drop()
    second.drop()
    assert.equal(await two.setInfo(7, { status: 'gone' }), false)
    await connect(two, identity, 'den')
    assert.deepEqual(await one.members('den'), [{ uid: '7', info: { status: 'here' } }])
  })

  it('copies the info, and refuses what is not JSON', async () => {
    const { comet } = makeComet()
    await connect(comet, 'alice', 'den')
    const info = { list: [1] }
    await comet.setInfo('alice', info)
    info.list.push(2)
    assert.deepEqual(await comet.members('den'), [{ uid: 'alice', info: { list: [1] } }])
    for (const wrong of [1n, { self: 1n }]) {
      await assert.rejects(comet.setInfo('alice', wrong), { code: 'INVALID_FIELD', status: undefined })
    }
    await assert.rejects(comet.setInfo('', 1), { code: 'INVALID_ID' })
    await comet.setInfo('alice', undefined)
    assert.deepEqual(await comet.members('den'), [{ uid: 'alice' }])
  })
})
