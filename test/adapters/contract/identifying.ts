import assert from 'node:assert/strict'
import type { Identified } from '../../../lib/index.ts'
import { type Adapter, type Identify, type Request, type Response, takeFailures } from '../../support/apps.ts'
import { connect, postPacket, request, startStream } from '../../support/clients.ts'
import { until } from '../../support/inbox.ts'
import type { Contract } from './part.ts'

const UNKNOWN_SID = 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'

/** Reads a header in the framework's own way. */
function headerOf({ kind }: Adapter, source: unknown, name: string): unknown {
  if (kind === 'node') return (source as Request).headers[name]
  return (source as { get(name: string): string }).get(name)
}

const NO_DATABASE = 'Error: no database'

/** The ways in which `identify` may fail, and what the app gets to see, once. */
const failing: { readonly identify: Identify; readonly error: string }[] = [
  {
    identify: () => {
      throw new Error('no database')
    },
    error: NO_DATABASE,
  },
  { identify: () => Promise.reject(new Error('no database')), error: NO_DATABASE },
  {
    identify: () => new Promise((_, reject) => setTimeout(reject, 5, new Error('no database'))),
    error: NO_DATABASE,
  },
  {
    identify: () => 'a\nb' as Identified,
    error: 'CometError: What identify answered is wrong: uid must not contain CR, LF or NUL.',
  },
]

/** What `identify` is given, and what happens with what it answers or throws. */
export function identifying({ adapter, start }: Contract): void {
  describe('identify', () => {
    it("is given the framework's own request, and may answer now or later", async () => {
      const app = await start({
        identify: (_, source) => {
          const answer = `${headerOf(adapter, source, 'x-user')}!`
          return answer === 'alice!' ? answer : new Promise((resolve) => setTimeout(resolve, 5, answer))
        },
      })
      for (const user of ['alice', 'bob']) {
        const { ready, sid } = await connect(app, user)
        assert.equal(ready.uid, `${user}!`)
        assert.equal((await postPacket(app, user, sid, { type: 'HB' })).status, 204)
        assert.equal((await postPacket(app, 'carol', sid, { type: 'HB' })).status, 403)
      }
    })

    it('causes one error of the app when it fails, and the next request is served', async () => {
      for (const { identify, error } of failing) {
        let fails = true
        const app = await start({ identify: (req, source) => (fails ? identify(req, source) : 'alice') })
        const stream = await request(app)
        assert.deepEqual(takeFailures(app).map(String), [error])
        const packet = await postPacket(app, '', UNKNOWN_SID, { type: 'HB' })
        assert.deepEqual(takeFailures(app).map(String), [error])
        assert.deepEqual([stream.status, packet.status], [500, 500])
        assert.doesNotMatch(stream.text + packet.text, /no database/)
        fails = false
        assert.equal((await connect(app, '')).ready.uid, 'alice')
      }
    })

    it('causes one error of the app when it fails after its client has gone, and harms nobody', async () => {
      const calls: ((error: Error) => void)[] = []
      const app = await start({
        identify: (req) =>
          req.headers['x-user'] === 'bob' ? 'bob' : new Promise((_, reject) => calls.push(reject)),
      })
      const bob = await connect(app, 'bob')
      const client = startStream(app)
      await until(() => calls.length === 1, 'asked')
      client.destroy()
      await until(() => app.sockets.size === 1, 'without the client that left')
      calls[0]?.(new Error('too late'))
      await until(() => app.failures.length > 0, 'told')
      await app.comet.publish({ evt: 'hi' })
      assert.equal((await bob.next('message')).data, 'hi')
      assert.equal(app.comet.stats().sessions, 1)
      assert.deepEqual(takeFailures(app).map(String), ['Error: too late'])
    })

    it('lets no request pass when it throws what is no error', async () => {
      let thrown: unknown
      const app = await start({ identify: () => Promise.reject(thrown) })
      for (thrown of [undefined, null, '', 'route', 'router']) {
        const { status } = await request(app)
        assert.equal(status, 500, `thrown: ${thrown}`)
        assert.equal(takeFailures(app).length, 1, `thrown: ${thrown}`)
      }
    })

    it('may answer the request itself', async () => {
      let res: Response | undefined
      const app = await start({
        identify: (req) => {
          if (req.headers['x-user'] === 'alice') return 'alice'
          ;(res as { writeHead(status: number, headers: object): Response })
            .writeHead(302, { location: '/login' })
            .end()
          return 'bob'
        },
      })
      app.server.prependListener('request', (_: Request, response: Response) => {
        res = response
      })
      const { sid } = await connect(app, 'alice')
      const body = '{"type":"HB"}'
      for (const send of [{}, { method: 'POST', path: `/${sid}`, body }]) {
        const headers = { 'content-type': 'application/json' }
        const answer = await request(app, { ...send, headers })
        assert.deepEqual([answer.status, answer.headers.location], [302, '/login'])
      }
      assert.equal(app.comet.stats().connections, 1)
    })
  })
}
