import assert from 'node:assert/strict'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, postPacket } from '../support/clients.ts'
import { idsOf, receivedBy } from '../support/received.ts'
import '../support/process-guard.ts'

describe('The history of a room', () => {
  let app: TestApp
  let start: string

  beforeEach(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true } })
    const { first, destroy } = await connect(app, 'carol')
    start = String(first.id)
    destroy()
    for (const evt of ['1', '2', '3']) await app.comet.publish({ rid: 'den', evt })
    await app.comet.publish({ rid: 'attic', evt: '4' })
    await app.comet.publish({ evt: 'to the world' })
  })
  afterEach(() => app.close())

  for (const [recent, evts] of [
    ['1', ['3', '4']],
    ['2', ['2', '3', '4']],
    ['999999999', ['1', '2', '3', '4']],
    ...['0', '', '-1', '1.5', '1e3', 'all', '9999999999999'].map((text) => [text, []] as const),
  ] as const) {
    const what = evts.length === 0 ? 'brings no event' : `brings ${evts.length} events`
    it(`GET stream?recent=${recent} ${what}, once and without ids`, async () => {
      const path = `?rid=attic&rid=den&recent=${recent}`
      const stream = await connect(app, 'alice', { path })
      const { id } = stream.first
      assert.deepEqual(await receivedBy(app, stream), evts)
      assert.ok(idsOf(stream).every((each) => each === undefined))
      stream.destroy()
      // A client that comes back has had them.
      const headers = { 'last-event-id': String(id) }
      const back = await connect(app, 'alice', { path, headers })
      assert.deepEqual(await receivedBy(app, back), [])
      back.destroy()
    })
  }

  it('comes with a JOIN that asks for the last events (recent) or for all since a position (since), without ids', async () => {
    const stream = await connect(app, 'alice')
    const join = async (fields: object) => {
      const packet = { type: 'JOIN', join: { rid: 'den', ...fields } }
      const { status } = await postPacket(app, 'alice', stream.sid, packet)
      await postPacket(app, 'alice', stream.sid, { type: 'LEAVE', leave: { rid: 'den' } })
      return status
    }
    assert.equal(await join({}), 204)
    assert.equal(await join({ recent: 1 }), 204)
    assert.equal(await join({ since: start }), 204)
    assert.equal(await join({ since: 'nonsense\r\n\r\n' }), 204)
    for (const fields of [{ recent: -1 }, { recent: 'all' }, { recent: 0.5 }, { since: 5 }]) {
      assert.equal(await join(fields), 400, JSON.stringify(fields))
    }
    assert.deepEqual(await receivedBy(app, stream), ['3', '1', '2', '3'])
    assert.ok(idsOf(stream).every((id) => id === undefined))
    const gaps = stream.blocks.filter(({ event }) => event === 'comet.gap')
    assert.deepEqual(
      gaps.map(({ data }) => JSON.parse(data)),
      [{ targets: [{ rid: 'den' }] }],
    )
  })
})
