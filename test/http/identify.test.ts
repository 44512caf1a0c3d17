import assert from 'node:assert/strict'
import type { Identified } from '../../lib/index.ts'
import { type AppOptions, type Identify, nodeHttp, type TestApp, withApp } from '../support/apps.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const UNKNOWN_SID = 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'

/** What `identify` may answer, and the uid that it means. */
const identities: [answer: Identified, uid: string][] = [
  ['alice', 'alice'],
  [{ uid: 'alice' }, 'alice'],
  [42, '42'],
  [0, '0'],
  [0n, '0'],
  [{ uid: 2n ** 70n }, String(2n ** 70n)],
]

const nobodies: Identified[] = [undefined, null, false, '', { uid: '' }]

const impossible: unknown[] = [
  true,
  Number.NaN,
  1.5,
  'a\nb',
  'x'.repeat(257),
  { uid: {} },
  { uid: 'a', rooms: 'lobby' },
]

const failures: [how: string, identify: Identify][] = [
  [
    'throws',
    () => {
      throw new Error('no database')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no database'))],
  ['rejects late', () => new Promise((_, reject) => setTimeout(reject, 5, new Error('no database')))],
]

describe('identify', () => {
  const using = <T>(identify: Identify, use: (app: TestApp) => Promise<T>, options: AppOptions = {}) =>
    withApp(nodeHttp, { ...options, identify }, use)

  for (const [answer, uid] of identities) {
    it(`may answer ${describeValue(answer)}: the user ${uid}, for the stream and for its packets`, async () => {
      await using(
        () => answer,
        async (app) => {
          const { ready, sid } = await connect(app, '')
          assert.equal(ready.uid, uid)
          assert.equal((await postPacket(app, '', sid, { type: 'HB' })).status, 204)
        },
      )
    })
  }

  it('may answer later', async () => {
    const identify: Identify = () => new Promise((resolve) => setTimeout(resolve, 5, 'alice'))
    const ready = await using(identify, async (app) => (await connect(app, '')).ready)
    assert.equal(ready.uid, 'alice')
  })

  for (const answer of nobodies) {
    it(`may answer ${describeValue(answer)}: nobody, and 401 to a stream and to a packet`, async () => {
      await using(
        () => answer,
        async (app) => {
          const stream = await request(app)
          assert.deepEqual([stream.status, stream.json.error.code], [401, 'UNAUTHENTICATED'])
          const packet = await postPacket(app, '', UNKNOWN_SID, { type: 'HB' })
          assert.deepEqual([packet.status, packet.json.error.code], [401, 'UNAUTHENTICATED'])
          assert.deepEqual(app.failures, [])
        },
      )
    })
  }

  it('causes an error of the app when it answers what can be no identity', async () => {
    let answer: unknown
    await using(
      () => answer as Identified,
      async (app) => {
        for (answer of impossible) {
          assert.equal((await request(app)).status, 500, describeValue(answer))
          const { status } = await postPacket(app, '', UNKNOWN_SID, { type: 'HB' })
          assert.equal(status, 500, describeValue(answer))
        }
        const codes = app.failures.map((error) => (error as { code?: string }).code)
        assert.deepEqual(codes, Array(2 * impossible.length).fill('INVALID_IDENTITY'))
      },
    )
  })

  it('may answer anonymous: each stream is another user, and no activity is emitted', async () => {
    await using(
      () => ({ anonymous: true }),
      async (app) => {
        const activity: unknown[] = []
        app.comet.on('activity', (event) => activity.push(event))
        const one = await connect(app, '')
        const other = await connect(app, '')
        assert.notEqual(one.ready.uid, other.ready.uid)
        assert.equal((await postPacket(app, '', one.sid, { type: 'HB' })).status, 204)
        await app.comet.publish({ evt: 'hi' })
        assert.equal((await one.next('message')).data, 'hi')
        assert.equal((await other.next('message')).data, 'hi')
        one.destroy()
        other.destroy()
        await until(() => app.comet.stats().sessions === 0, 'without sessions')
        assert.deepEqual(activity, [])
      },
    )
  })

  it('may name rooms, which are entered before those of the URL and without canEnter', async () => {
    const asked: string[] = []
    const canEnter = ({ rid }: { rid: string }) => asked.push(rid) > 0
    const identify = () => ({ uid: 'alice', rooms: ['staff', 'news'], info: { name: 'Alice' } })
    await using(
      identify,
      async (app) => {
        const activity: string[] = []
        app.comet.on('activity', ({ type, rid }) => activity.push(`${type} ${rid ?? ''}`))
        const { ready, next } = await connect(app, '', { path: '?rid=lobby&rid=news' })
        assert.deepEqual(ready.rooms, ['staff', 'news', 'lobby'])
        assert.deepEqual(activity.slice(0, 4), ['1 ', '4 staff', '4 news', '4 lobby'])
        assert.ok(!asked.includes('staff'))
        assert.deepEqual(await app.comet.members('staff'), [{ uid: 'alice', info: { name: 'Alice' } }])
        await app.comet.publish({ rid: 'staff', evt: 'hi' })
        assert.equal((await next('message')).data, 'hi')
      },
      { comet: { canEnter } },
    )
  })

  it('gives its info to canEnter, that of the request at hand', async () => {
    let info = 'of the stream'
    const seen: unknown[] = []
    const canEnter = (asked: { info?: unknown }) => seen.push(asked.info) > 0
    await using(
      () => ({ uid: 'alice', info }),
      async (app) => {
        const { sid } = await connect(app, '', { path: '?rid=lobby' })
        info = 'of the packet'
        await postPacket(app, '', sid, { type: 'JOIN', join: { rid: 'hall' } })
        assert.deepEqual(seen, ['of the stream', 'of the packet'])
      },
      { comet: { canEnter } },
    )
  })

  for (const [how, identify] of failures) {
    it(`causes an error of the app when it ${how}, and the next request is served`, async () => {
      let fails = true
      const sometimes: Identify = (req, source) => (fails ? identify(req, source) : 'alice')
      await using(sometimes, async (app) => {
        const stream = await request(app)
        const packet = await postPacket(app, '', UNKNOWN_SID, { type: 'HB' })
        assert.deepEqual([stream.status, packet.status], [500, 500])
        assert.doesNotMatch(stream.text + packet.text, /no database/)
        assert.deepEqual(app.failures.map(String), ['Error: no database', 'Error: no database'])
        fails = false
        const { ready } = await connect(app, '')
        assert.equal(ready.uid, 'alice')
      })
    })
  }

  it('harms nobody when it fails after its client has gone', async () => {
    const calls: ((error: Error) => void)[] = []
    const identify: Identify = (req) =>
      req.headers['x-user'] === undefined ? new Promise((_, reject) => calls.push(reject)) : 'bob'
    await using(identify, async (app) => {
      const bob = await connect(app, 'bob')
      const [bobs] = app.sockets
      const left = openStream(app).catch(() => undefined)
      await until(() => calls.length === 1, 'asked')
      for (const socket of app.sockets) if (socket !== bobs) socket.destroy()
      await left
      await until(() => app.sockets.size === 1, 'without the client that left')
      calls[0]?.(new Error('too late'))
      await until(() => app.failures.length === 1, 'told')
      await app.comet.publish({ evt: 'hi' })
      assert.equal((await bob.next('message')).data, 'hi')
      assert.equal(app.comet.stats().sessions, 1)
    })
  })
})

function describeValue(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value).map(([key, each]) => `${key}: ${describeValue(each)}`)} }`
  }
  if (typeof value === 'bigint') return `${value}n`
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 9)) : `${value}`
}
