import assert from 'node:assert/strict'
import { connect, postPacket } from '../support/clients.ts'
import { heard, idsOf } from '../support/heard.ts'
import { adapters, type Host } from '../support/http.ts'
import '../support/process-guard.ts'

for (const adapter of adapters) {
  describe(`A room's past behind ${adapter.name}`, () => {
    let host: Host
    let start: string

    beforeEach(async () => {
      host = await adapter.host({ comet: { canEnter: () => true } })
      const { first, destroy } = await connect(host, 'carol')
      start = String(first.id)
      destroy()
      for (const evt of ['1', '2', '3']) await host.comet.publish({ rid: 'den', evt })
      await host.comet.publish({ rid: 'attic', evt: '4' })
      await host.comet.publish({ evt: 'to the world' })
    })
    afterEach(() => host.close())

    for (const [recent, evts] of [
      ['1', ['3', '4']],
      ['2', ['2', '3', '4']],
      ['999999999', ['1', '2', '3', '4']],
      ...['0', '', '-1', '1.5', '1e3', 'all', '9999999999999'].map((text) => [text, []] as const),
    ] as const) {
      it(`is ${evts.length === 0 ? 'not told' : `${evts.length} events`} with ?recent=${recent}`, async () => {
        const path = `?rid=attic&rid=den&recent=${recent}`
        const stream = await connect(host, 'alice', { path })
        const { id } = stream.first
        assert.deepEqual(await heard(host, stream), evts)
        assert.ok(idsOf(stream).every((each) => each === undefined))
        stream.destroy()
        // It is not told again to one that has been there.
        const headers = { 'last-event-id': String(id) }
        const back = await connect(host, 'alice', { path, headers })
        assert.deepEqual(await heard(host, back), [])
        back.destroy()
      })
    }

    it('comes with a JOIN that asks for it, since a position or the last events, without ids', async () => {
      const stream = await connect(host, 'alice')
      const join = async (fields: object) => {
        const packet = { type: 'JOIN', join: { rid: 'den', ...fields } }
        const { status } = await postPacket(host, 'alice', stream.sid, packet)
        await postPacket(host, 'alice', stream.sid, { type: 'LEAVE', leave: { rid: 'den' } })
        return status
      }
      assert.equal(await join({}), 204)
      assert.equal(await join({ recent: 1 }), 204)
      assert.equal(await join({ since: start }), 204)
      assert.equal(await join({ since: 'nonsense\r\n\r\n' }), 204)
      for (const fields of [{ recent: -1 }, { recent: 'all' }, { recent: 0.5 }, { since: 5 }]) {
        assert.equal(await join(fields), 400, JSON.stringify(fields))
      }
      assert.deepEqual(await heard(host, stream), ['3', '1', '2', '3'])
      assert.ok(idsOf(stream).every((id) => id === undefined))
      const gaps = stream.blocks.filter(({ event }) => event === 'comet.gap')
      assert.deepEqual(
        gaps.map(({ data }) => JSON.parse(data)),
        [{ targets: [{ rid: 'den' }] }],
      )
      stream.destroy()
    })
  })
}
