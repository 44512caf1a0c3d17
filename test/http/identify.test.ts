import assert from 'node:assert/strict'
import type { Identified } from '../../lib/index.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import { adapters, type Host, type HostOptions, type Identify, withHost } from '../support/http.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** What `identify` may answer, and the uid that comes of it. */
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

for (const adapter of adapters) {
  describe(`What identify answers behind ${adapter.name}`, () => {
    const using = <T>(identify: Identify, use: (host: Host) => Promise<T>, options: HostOptions = {}) =>
      withHost(adapter, { ...options, identify }, use)

    for (const [answer, uid] of identities) {
      it(`is the user ${uid} for ${describeValue(answer)}, for a stream and for its packets`, async () => {
        await using(
          () => answer,
          async (host) => {
            const { ready, sid, destroy } = await connect(host, '')
            const sent = await postPacket(host, '', sid, { type: 'HB' })
            destroy()
            assert.equal(ready.uid, uid)
            assert.equal(sent.status, 204)
          },
        )
      })
    }

    it('may come later', async () => {
      const identify: Identify = () => new Promise((resolve) => setTimeout(resolve, 5, 'alice'))
      const ready = await using(identify, async (host) => (await connect(host, '')).ready)
      assert.equal(ready.uid, 'alice')
    })

    for (const answer of nobodies) {
      it(`is nobody for ${describeValue(answer)}: 401 for a stream and for a packet`, async () => {
        await using(
          () => answer,
          async (host) => {
            const stream = await request(host)
            assert.deepEqual([stream.status, stream.json.error.code], [401, 'UNAUTHENTICATED'])
            const packet = await postPacket(host, '', 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA', { type: 'HB' })
            assert.deepEqual([packet.status, packet.json.error.code], [401, 'UNAUTHENTICATED'])
            assert.deepEqual(host.failures, [])
          },
        )
      })
    }

    it('is an error of the host when it can be no identity', async () => {
      let answer: unknown
      await using(
        () => answer as Identified,
        async (host) => {
          for (answer of impossible) {
            assert.equal((await request(host)).status, 500, describeValue(answer))
            const sent = await postPacket(host, '', 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA', { type: 'HB' })
            assert.equal(sent.status, 500, describeValue(answer))
          }
          const codes = host.failures.map((error) => (error as { code?: string }).code)
          assert.deepEqual(codes, Array(2 * impossible.length).fill('INVALID_IDENTITY'))
        },
      )
    })

    it('may be anonymous: each stream is a user of its own that nobody hears of', async () => {
      await using(
        () => ({ anonymous: true }),
        async (host) => {
          const activity: unknown[] = []
          host.comet.on('activity', (event) => activity.push(event))
          const one = await connect(host, '')
          const other = await connect(host, '')
          assert.notEqual(one.ready.uid, other.ready.uid)
          assert.equal((await postPacket(host, '', one.sid, { type: 'HB' })).status, 204)
          await host.comet.publish({ evt: 'hi' })
          assert.equal((await one.next('message')).data, 'hi')
          assert.equal((await other.next('message')).data, 'hi')
          one.destroy()
          other.destroy()
          await until(() => host.comet.stats().sessions === 0, 'without sessions')
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
        async (host) => {
          const activity: string[] = []
          host.comet.on('activity', ({ type, rid }) => activity.push(`${type} ${rid ?? ''}`))
          const { ready, next } = await connect(host, '', { path: '?rid=lobby&rid=news' })
          assert.deepEqual(ready.rooms, ['staff', 'news', 'lobby'])
          assert.deepEqual(activity.slice(0, 4), ['1 ', '4 staff', '4 news', '4 lobby'])
          assert.ok(!asked.includes('staff'))
          assert.deepEqual(await host.comet.members('staff'), [{ uid: 'alice', info: { name: 'Alice' } }])
          await host.comet.publish({ rid: 'staff', evt: 'hi' })
          assert.equal((await next('message')).data, 'hi')
        },
        { comet: { canEnter } },
      )
    })

    it('is given to canEnter with the info of the request at hand', async () => {
      let info = 'of the stream'
      const seen: unknown[] = []
      const canEnter = (asked: { info?: unknown }) => seen.push(asked.info) > 0
      await using(
        () => ({ uid: 'alice', info }),
        async (host) => {
          const { sid } = await connect(host, '', { path: '?rid=lobby' })
          info = 'of the packet'
          await postPacket(host, '', sid, { type: 'JOIN', join: { rid: 'hall' } })
          assert.deepEqual(seen, ['of the stream', 'of the packet'])
        },
        { comet: { canEnter } },
      )
    })
  })

  describe(`An identify that fails behind ${adapter.name}`, () => {
    for (const [how, identify] of failures) {
      it(`goes the way of the host's errors when it ${how}, and the next request is served`, async () => {
        let fails = true
        const sometimes: Identify = (req) => (fails ? identify(req) : 'alice')
        await withHost(adapter, { identify: sometimes }, async (host) => {
          const stream = await request(host)
          const packet = await postPacket(host, '', 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA', { type: 'HB' })
          assert.deepEqual([stream.status, packet.status], [500, 500])
          assert.doesNotMatch(stream.text + packet.text, /no database/)
          assert.deepEqual(host.failures.map(String), ['Error: no database', 'Error: no database'])
          fails = false
          const { ready } = await connect(host, '')
          assert.equal(ready.uid, 'alice')
        })
      })
    }

    it('harms nobody when its client is gone by then', async () => {
      const calls: ((error: Error) => void)[] = []
      const identify: Identify = (req) =>
        req.headers['x-user'] === undefined ? new Promise((_, reject) => calls.push(reject)) : 'bob'
      await withHost(adapter, { identify }, async (host) => {
        const bob = await connect(host, 'bob')
        const left = openStream(host).catch(() => undefined)
        await until(() => calls.length === 1, 'asked')
        for (const socket of host.sockets) if (socket !== firstOf(host)) socket.destroy()
        await left
        await until(() => host.sockets.size === 1, 'without the one who left')
        calls[0]?.(new Error('too late'))
        await until(() => host.failures.length === 1, 'told')
        await host.comet.publish({ evt: 'hi' })
        assert.equal((await bob.next('message')).data, 'hi')
        assert.equal(host.comet.stats().sessions, 1)
      })
    })
  })
}

function firstOf({ sockets }: Host) {
  for (const socket of sockets) return socket
}

function describeValue(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value).map(([key, each]) => `${key}: ${describeValue(each)}`)} }`
  }
  return typeof value === 'bigint'
    ? `${value}n`
    : typeof value === 'string'
      ? JSON.stringify(value.slice(0, 9))
      : `${value}`
}
