import assert from 'node:assert/strict'
import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import { CometClient, type CometClientOptions } from '../../client/index.ts'
import { figure, sampled } from '../support/tier.ts'

const CLIENTS = 500
const MINUTE = 60_000

const READY = {
  version: 1,
  sid: 'node.session',
  connection: 'c1',
  uid: 'alice',
  rooms: [],
  refused: [],
  recovered: false,
  heartbeat: 15_000,
}

function streamOf(...blocks: string[]): Response {
  return new Response(blocks.join(''), { headers: { 'content-type': 'text/event-stream' } })
}

const ready = `event: comet.ready\ndata: ${JSON.stringify(READY)}\nretry: 2000\nid: e-1\n\n`

/** A stream that stays open until it is given up. */
function openStream(signal: AbortSignal | null | undefined): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(ready))
      signal?.addEventListener('abort', () => controller.error(signal.reason))
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** Never answers. */
function silence(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason))
  })
}

type Answer = (request: number, signal: AbortSignal | null | undefined) => Response | Promise<Response>

const SERVERS: Record<string, Answer> = {
  'answers 503': () => new Response('', { status: 503 }),
  'answers 429 with Retry-After': () => new Response('', { status: 429, headers: { 'retry-after': '5' } }),
  'does not answer': (_request, signal) => silence(signal),
  'ends each stream at once': () => streamOf(ready),
  'closes each stream at once, as expired': () =>
    streamOf(ready, 'event: comet.close\ndata: {"code":"EXPIRED","reason":"","reconnect":true}\n\n'),
  'sends HTML after a first stream': (request) =>
    request === 0 ? streamOf(ready) : new Response('<p>Log in', { headers: { 'content-type': 'text/html' } }),
  'sends headers and no data': (_request, signal) => {
    const body = new ReadableStream({
      start: (controller) => signal?.addEventListener('abort', () => controller.error(signal.reason)),
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  },
}

describe('CometClient, when the server is not well', () => {
  let clock: Clock
  const clients: CometClient[] = []

  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    })
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    clock.uninstall()
  })

  function make(answer: Answer, options: CometClientOptions = {}): { client: CometClient; times: number[] } {
    const times: number[] = []
    const fetch = async (_url: string, { signal, method }: RequestInit) => {
      if (method === 'POST') return new Response(null, { status: 204 })
      times.push(clock.now)
      return await answer(times.length - 1, signal)
    }
    const client = new CometClient('http://127.0.0.1/comet', { fetch, ...options })
    clients.push(client)
    return { client, times }
  }

  for (const [name, answer] of Object.entries(SERVERS)) {
    it(`asks few times a server that ${name}`, async function () {
      this.timeout(60_000)
      const count = sampled(CLIENTS, 100)
      const start = clock.now
      const all = Array.from({ length: count }, () => make(answer).times)
      for (let minute = 0; minute < 4; minute += 1) await clock.tickAsync(MINUTE)
      const inMinute = (times: readonly number[], minute: number) =>
        times.filter((time) => Math.floor((time - start) / MINUTE) === minute).length
      const means = [0, 1, 2, 3].map(
        (minute) => all.reduce((sum, times) => sum + inMinute(times, minute), 0) / count,
      )
      const most = Math.max(...all.flatMap((times) => [0, 1, 2, 3].map((minute) => inMinute(times, minute))))
      figure(name, `${means.map((mean) => mean.toFixed(1)).join(', ')} requests a minute, at most ${most}`)
      const [first = 0, ...later] = means
      assert.ok(first <= 8, `${first} in the first minute`)
      for (const mean of later) assert.ok(mean <= 5, `${mean} in a later minute`)
      assert.ok(most <= 20, `${most} of one client`)
    })
  }

  it('asks a server that answers 401 exactly twice', async () => {
    const { client, times } = make(() => new Response('', { status: 401 }), { headers: () => ({}) })
    await clock.tickAsync(10 * MINUTE)
    assert.deepEqual([times.length, client.state], [2, 'closed'])
  })

  it('asks a server that never was a Comet once', async () => {
    const { client, times } = make(() => new Response('<p>', { headers: { 'content-type': 'text/html' } }))
    await clock.tickAsync(MINUTE)
    assert.deepEqual([times.length, client.state], [1, 'closed'])
    await assert.rejects(client.opened, { code: 'BAD_RESPONSE', status: 200 })
    await assert.rejects(client.send(1), { code: 'CLOSED' })
  })

  it('spreads the reconnects of those that were cut off together', async () => {
    const streams = new Set<AbortController>()
    const all = Array.from({ length: CLIENTS }, () =>
      make((_request, signal) => {
        const cut = new AbortController()
        streams.add(cut)
        signal?.addEventListener('abort', () => cut.abort())
        return openStream(cut.signal)
      }),
    )
    await clock.tickAsync(20_000)
    const start = clock.now
    for (const cut of [...streams]) cut.abort()
    await clock.tickAsync(20_000)
    const tenths = new Map<number, number>()
    for (const { times, client } of all) {
      assert.deepEqual([times.length, client.state], [2, 'open'])
      const tenth = Math.floor(((times[1] ?? 0) - start) / 100)
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
    }
    const most = Math.max(...tenths.values()) / CLIENTS
    figure('reconnects in one tenth of a second', `at most ${(100 * most).toFixed(1)} %`)
    assert.ok(most <= 0.12, `${most}`)
  })

  it('gives up a stream that is silent for two and a half heartbeats', async () => {
    const { client, times } = make((_request, signal) => openStream(signal))
    const start = clock.now
    await clock.tickAsync(37_000)
    assert.deepEqual([client.state, times.length], ['open', 1])
    await clock.tickAsync(10_000)
    assert.deepEqual([client.state, times.length], ['open', 2])
    assert.ok((times[1] ?? 0) - start <= 45_000)
  })

  it('says that a proxy holds data back when none came for the second time', async () => {
    const { client } = make(SERVERS['sends headers and no data'] as Answer, { openTimeout: 1_000 })
    const codes: string[] = []
    client.onError(({ code }) => codes.push(code))
    await clock.tickAsync(1_500)
    assert.deepEqual(codes, [])
    await clock.tickAsync(10_000)
    assert.equal(codes[0], 'NO_DATA')
  })

  it('warns once of a later version, and goes on', async () => {
    const { warn } = console
    const warnings: unknown[] = []
    console.warn = (text: unknown) => warnings.push(text)
    try {
      const { client } = make(() => streamOf(ready.replace('"version":1', '"version":2')))
      await clock.tickAsync(MINUTE)
      assert.equal(warnings.length, 1)
      assert.notEqual(client.state, 'closed')
    } finally {
      console.warn = warn
    }
  })
})
