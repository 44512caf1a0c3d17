import assert from 'node:assert/strict'
import { CometError } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'

describe('Comet.receive', () => {
  afterEach(closeComets)

  const never = () => new Promise<never>(() => {})
  const send = (evt: string, id?: string) => ({
    type: 'SEND',
    send: { evt, ...(id === undefined ? {} : { id }) },
  })

  it('handles HB while onMessage has not answered a SEND', async () => {
    const { comet, reported } = makeComet({ onMessage: never })
    const { sid } = await connect(comet, 'alice')
    comet.receive({ sid, identity: 'alice', packet: send('hi') })
    await comet.receive({ sid, identity: 'alice', packet: { type: 'HB' } })
    assert.equal(reported.filter((activity) => activity === 'HEARD alice').length, 2)
  })

  it('handles BYE while canEnter has not answered a JOIN', async () => {
    const { comet } = makeComet({ canEnter: never })
    const alice = await connect(comet, 'alice')
    const { sid } = alice
    comet.receive({ sid, identity: 'alice', packet: { type: 'JOIN', join: { rid: 'den' } } })
    await new Promise(setImmediate)
    await comet.receive({ sid, identity: 'alice', packet: { type: 'BYE' } })
    assert.ok(alice.closed)
  })

  it('refuses an id that is longer than maxIdBytes', async () => {
    const { comet } = makeComet()
    const { sid } = await connect(comet, 'alice')
    await comet.receive({ sid, identity: 'alice', packet: send('hi', 'x'.repeat(256)) })
    const tooLong = comet.receive({ sid, identity: 'alice', packet: send('hi', 'x'.repeat(257)) })
    await assert.rejects(tooLong, { code: 'INVALID_ID', message: /send.id/ })
  })

  it('forgets the oldest answers when they grow large', async () => {
    let calls = 0
    const { comet } = makeComet({
      packetRate: 1_000,
      onMessage: () => {
        calls += 1
        return 'x'.repeat(30_000)
      },
    })
    const { sid } = await connect(comet, 'alice')
    const say = (id: string) => comet.receive({ sid, identity: 'alice', packet: send('hi', id) })
    for (const id of ['1', '2', '3', '2', '3']) await say(id)
    assert.equal(calls, 3)
    await say('1')
    assert.equal(calls, 4)
  })

  it('rejects with ROOM_REFUSED when canEnter throws a CometError, and reports no failure', async () => {
    const { comet } = makeComet({
      canEnter: () => {
        throw new CometError('FORBIDDEN', 'Members only.')
      },
    })
    comet.on('error', (error) => assert.fail(error))
    const { sid } = await connect(comet, 'alice')
    const join = comet.receive({ sid, identity: 'alice', packet: { type: 'JOIN', join: { rid: 'den' } } })
    await assert.rejects(join, { code: 'ROOM_REFUSED' })
    await assert.rejects(connect(comet, 'bob', 'den'), { code: 'ROOM_REFUSED' })
  })
})
