import assert from 'node:assert/strict'
import { connect, head, openSocket, postPacket, request } from '../../support/clients.ts'
import type { Contract } from './part.ts'

const SID = 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'

/** Where Comet is, and what it leaves to the app. */
export function mount({ adapter, start }: Contract): void {
  describe('the mount', () => {
    it('serves the stream there, and packets at the path of a session, with and without a query', async () => {
      const app = await start()
      for (const path of ['', '/', '?clientId=tab-1', '/?clientId=tab-1']) {
        const { ready, destroy } = await connect(app, 'alice', { path })
        destroy()
        assert.equal(ready.uid, 'alice', path)
      }
      const { sid } = await connect(app, 'alice')
      for (const path of [sid, `${sid}?`, `${sid}?x=1?y`]) {
        assert.equal((await postPacket(app, 'alice', path, { type: 'HB' })).status, 204, path)
      }
    })

    it('reads the query as it was sent: encoded characters, plus signs, a second question mark', async () => {
      const app = await start({ comet: { canEnter: () => true } })
      const path = `?rid=${encodeURIComponent('ä&ö/')}&rid=a+b&rid=c%2Bd&rid=what?&rid=%&rid=%zz`
      const { ready } = await connect(app, 'alice', { path })
      assert.deepEqual(ready.rooms, ['ä&ö/', 'a b', 'c+d', 'what?', '%', '%zz'])
    })

    if (!adapter.http2) {
      it('serves requests that name scheme and host', async () => {
        const app = await start()
        const client = await openSocket(app)
        for (const [target, status] of [
          ['http://example.org/comet?u=', 401],
          ['HTTP://example.org:80/comet/elsewhere', adapter.passed],
          ['http://example.org/comet/?u=alice', 200],
        ] as const) {
          client.send(head(`GET ${target} HTTP/1.1`, 'Host: example.org'))
          assert.equal((await client.response()).status, status, target)
        }
        client.destroy()
      })
    }

    it('leaves to the app what is not for Comet: other paths, and OPTIONS everywhere', async () => {
      const app = await start()
      const requests = [
        ['GET', '/'],
        ['GET', '/elsewhere'],
        ['GET', '/comets'],
        ['GET', '/api/comet'],
        ['GET', '/comet/stats'],
        ['POST', '/comet/AAAA'],
        ['POST', `/comet/${SID}/more`],
        ['OPTIONS', '/comet'],
        ['OPTIONS', `/comet/${SID}`],
      ] as const
      for (const [method, path] of requests) {
        const headers = { 'x-user': 'alice' }
        const answer = await request({ url: app.origin, http2: app.http2 }, { method, path, headers })
        assert.equal(answer.status, adapter.passed, `${method} ${path}`)
        assert.equal(answer.json, undefined)
      }
      assert.equal(app.comet.stats().connections, 0)
    })
  })
}
