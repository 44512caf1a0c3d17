import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { type Block, encodeBlock, encodeControl, encodeGap, encodeNone } from '../../../lib/stream/sse.ts'
import { anyText } from '../../support/arbitraries.ts'
import { runs } from '../../support/tier.ts'

/** The text that a client must get: line ends become LF, lone surrogates U+FFFD, and nothing else changes. */
const received = (text: string) => text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').toWellFormed()

/** Parses a stream that arrives in these chunks. */
function parse(...chunks: Uint8Array[]) {
  const events: EventSourceMessage[] = []
  const retries: number[] = []
  const errors: Error[] = []
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onRetry: (retry) => retries.push(retry),
    onError: (error) => errors.push(error),
  })
  const decoder = new TextDecoder()
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  return { events, retries, errors }
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const MIB = 2 ** 20

/** Data that must arrive, with what is special about it. */
const DATA: Record<string, string> = {
  'one line': 'hello',
  'no character': '',
  'one LF': '\n',
  'one CR': '\r',
  'one CRLF': '\r\n',
  'LF CR, two line ends': '\n\r',
  'CR CR LF, two line ends': '\r\r\n',
  'LF at its end': 'a\n',
  'LF at its start': '\na',
  'empty lines inside': 'a\n\n\r\n\rb',
  'a leading space': ' a\n b',
  'two leading spaces': '  a',
  'a leading colon': ':a\n:b',
  'field names': 'data: a\nevent: b\nid: 1\nretry: 1\n\ndata',
  'a BOM at its start': '\ufeffa\n\ufeffb',
  'NUL and other controls': '\0\x01\x0b\x0c\x1b\x7f\x85',
  'line ends that are none in an event stream': 'a\u2028b\u2029c\x85d\x0be\x0cf',
  'astral characters': '\u{1f600}\u{10ffff}',
  'lone surrogates': 'a\ud83db\ude00\ud83d',
  'a surrogate pair parted by a line end': '\ud83d\r\ude00',
  '1 MiB in one line': 'x'.repeat(MIB),
  '1 MiB of four-byte characters': '\u{1f600}'.repeat(MIB / 4),
  '1 MiB in lines': `${'y'.repeat(63)}\n`.repeat(MIB / 64),
  'many empty lines': '\r'.repeat(10_000),
}

describe('encodeBlock', () => {
  it('encodes any data so that a parser returns it, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.array(fc.nat()), (texts, places) => {
        const stream = Buffer.concat(texts.map((data) => encodeBlock({ data })))
        const { events, errors } = parse(...cut(stream, places))
        assert.deepEqual(
          events.map(({ data }) => data),
          texts.map(received),
        )
        assert.deepEqual(errors, [])
      }),
      runs(500),
    )
  })

  for (const [what, data] of Object.entries(DATA)) {
    it(`encodes data with ${what}, read at once and byte by byte`, () => {
      const bytes = encodeBlock({ data })
      const stream = Buffer.concat([bytes, bytes])
      const small = data.length < 1_000
      const chunks = small
        ? Array.from(stream, (byte) => Uint8Array.of(byte))
        : cut(stream, [1e6 + 1, 1e6 + 2])
      for (const { events } of [parse(stream), parse(...chunks)]) {
        assert.deepEqual(
          events.map((event) => event.data === received(data)),
          [true, true],
        )
      }
    })
  }

  it('gives each field to its own event', () => {
    const id = fc.string({ unit: fc.constantFrom('a', ' ', ':', '0', '-', 'é') })
    const event = fc.stringMatching(/^[a-z.]{1,10}$/)
    const block = fc.record({ event, id, retry: fc.nat(), data: anyText }, { requiredKeys: ['data'] })
    fc.assert(
      fc.property(fc.array(block as fc.Arbitrary<Block>), fc.array(fc.nat()), (blocks, places) => {
        const { events, retries, errors } = parse(...cut(Buffer.concat(blocks.map(encodeBlock)), places))
        const wanted = blocks.map(({ event, id, data }) => ({ event, id, data: received(data) }))
        assert.deepEqual(events, wanted)
        assert.deepEqual(
          retries,
          blocks.flatMap(({ retry }) => retry ?? []),
        )
        assert.deepEqual(errors, [])
      }),
      runs(300),
    )
  })

  it('writes id last, so that a client that takes it by the line has the whole event by then', () => {
    const blocks = [
      encodeBlock({ event: 'chat', data: 'a\nb', retry: 7, id: 'p.1' }),
      encodeControl('ready', {}, { id: 'p.1', retry: 7 }),
      encodeControl('heartbeat', {}, { id: 'p.1' }),
      encodeGap([{ rid: 'den' }], { id: 'p.1' }),
    ]
    assert.equal(blocks[0]?.toString(), 'event: chat\ndata: a\ndata: b\nretry: 7\nid: p.1\n\n')
    for (const block of blocks) assert.match(block.toString(), /^data: .*\n(retry: 7\n)?id: p\.1\n\n$/m)
  })

  it('is read correctly after a BOM at the start of the stream', () => {
    const { events, errors } = parse(Buffer.from('\ufeff'), encodeBlock({ id: '1', data: '\ufeffhi' }))
    assert.deepEqual(events, [{ event: undefined, id: '1', data: '\ufeffhi' }])
    assert.deepEqual(errors, [])
  })
})

describe('encodeControl', () => {
  it('encodes a named event with its JSON on one line', () => {
    const data = { reason: 'a\r\nb\u2028c', list: [1, null] }
    const bytes = encodeControl('close', data)
    const { events } = parse(bytes)
    assert.equal(events.length, 1)
    assert.equal(events[0]?.event, 'comet.close')
    assert.equal(bytes.toString().match(/^data:/gm)?.length, 1)
    assert.deepEqual(JSON.parse(events[0]?.data ?? ''), data)
  })

  it('writes id and retry into the block only when they are given', () => {
    const full = parse(encodeControl('ready', {}, { id: 'p.1', retry: 2_000 }))
    assert.deepEqual(full.events, [{ event: 'comet.ready', id: 'p.1', data: '{}' }])
    assert.deepEqual(full.retries, [2_000])
    const bare = parse(encodeControl('heartbeat', {}))
    assert.deepEqual(bare.events, [{ event: 'comet.heartbeat', id: undefined, data: '{}' }])
    assert.deepEqual(bare.retries, [])
  })
})

describe('encodeNone', () => {
  const READY = encodeControl('ready', { sid: 's' }, { id: 'p.9', retry: 2_000 })

  it('has a position of safe characters, and no data', () => {
    for (const id of ['p.41', 'a', '_:-.', 'x'.repeat(256)]) {
      assert.equal(encodeNone(id)?.toString(), `:\nevent: comet.none\nid: ${id}\n\n`)
    }
    assert.equal(encodeNone(undefined)?.toString(), ':\nevent: comet.none\n\n')
  })

  it('is not made of a position that has other characters or is longer', () => {
    const unsafe = ['', ' ', 'a b', 'a\n', '\na', 'a\rb', 'a\0b', 'ä', 'a/b', 'a+b', 'a=', 'x'.repeat(257)]
    for (const id of unsafe) assert.equal(encodeNone(id), undefined, JSON.stringify(id))
  })

  it('lets a client that keeps half a block read comet.ready, wherever the block was cut', () => {
    const blocks = [
      encodeBlock({ id: 'p.42', data: 'smörgåsbord\n🙂' }),
      encodeBlock({ event: 'comet.close', id: 'p.42', retry: 5, data: '{}' }),
      READY,
    ]
    for (const half of blocks) {
      for (let cut = 0; cut < half.length; cut += 1) {
        for (const position of ['p.41', undefined]) {
          const bytes = [half.subarray(0, cut), encodeNone(position) as Buffer, READY]
          const { events } = parse(...bytes)
          const [ready, ...others] = events.filter(({ event }) => event !== 'comet.none')
          assert.deepEqual(ready, { event: 'comet.ready', data: '{"sid":"s"}', id: 'p.9' }, `cut at ${cut}`)
          assert.deepEqual(others, [])
        }
      }
    }
  })

  it('gives the position back to a client that was cut within an id', () => {
    const half = encodeBlock({ id: 'p.42', data: 'a' }).subarray(0, -3)
    const { events } = parse(half, encodeNone('p.41') as Buffer)
    assert.deepEqual(events, [{ event: 'comet.none', data: 'a', id: 'p.41' }])
  })
})

describe('encodeBlock, read by EventSource', () => {
  let source: EventSource
  /** The latest request of the client, and its response, which stays open. */
  let connected: Promise<[IncomingMessage, ServerResponse]>

  const server = createServer((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
  })
  const nextRequest = () => once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>

  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    connected = nextRequest()
    source = new EventSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await once(source, 'open')
  })

  after(() => {
    source.close()
    server.closeAllConnections()
    server.close()
  })

  /** Sends blocks over the connection, and a last one that marks the end. */
  async function exchange(blocks: readonly Buffer[], name = 'message'): Promise<MessageEvent[]> {
    const [, res] = await connected
    const events: MessageEvent[] = []
    const take = (event: MessageEvent) => events.push(event)
    const last = once(source, 'test.last')
    source.addEventListener(name, take)
    for (const block of blocks) res.write(block)
    res.write(encodeBlock({ event: 'test.last', data: '' }))
    await last
    source.removeEventListener(name, take)
    return events
  }

  it('keeps a BOM that is the first data of the stream', async () => {
    const events = await exchange([encodeBlock({ data: '\ufeff' })])
    assert.deepEqual(
      events.map(({ data }) => data),
      ['\ufeff'],
    )
  })

  it('returns any data, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText), async (texts) => {
        const events = await exchange(texts.map((data) => encodeBlock({ data })))
        assert.deepEqual(
          events.map(({ data }) => data),
          texts.map(received),
        )
      }),
      runs(200),
    )
  })

  it('returns awkward data up to 1 MiB, in order', async () => {
    const texts = Object.values(DATA)
    const events = await exchange(texts.map((data) => encodeBlock({ data })))
    const wrong = Object.keys(DATA).filter((_, index) => events[index]?.data !== received(texts[index] ?? ''))
    assert.deepEqual(wrong, [])
    assert.equal(events.length, texts.length)
  })

  it('sets lastEventId from the id', async () => {
    const ids = ['epoch.41', 'ü', ' leading space', '0']
    const events = await exchange(ids.map((id) => encodeBlock({ id, data: 'a' })))
    assert.deepEqual(
      events.map(({ lastEventId }) => lastEventId),
      ids,
    )
  })

  it('keeps control events from listeners of "message"', async () => {
    const blocks = [encodeControl('ready', { sid: 's' }), encodeBlock({ data: 'a' })]
    const messages = await exchange(blocks)
    assert.deepEqual(
      messages.map(({ data }) => data),
      ['a'],
    )
    const controls = await exchange(blocks, 'comet.ready')
    assert.deepEqual(
      controls.map(({ data }) => data),
      ['{"sid":"s"}'],
    )
  })

  it('makes it reconnect after the given retry, with the last id', async () => {
    const last = encodeControl('heartbeat', {}, { id: 'epoch.44', retry: 7 })
    await exchange([encodeBlock({ id: 'epoch.43', data: 'a' }), last, encodeBlock({ data: 'b' })])
    const [, ended] = await connected
    connected = nextRequest()
    const { setTimeout: schedule } = globalThis
    const pauses: unknown[] = []
    globalThis.setTimeout = Object.assign((...args: Parameters<typeof schedule>) => {
      pauses.push(args[1])
      return schedule(...args)
    }, schedule)
    try {
      ended.end()
      const [req] = await connected
      assert.equal(req.headers['last-event-id'], 'epoch.44')
    } finally {
      globalThis.setTimeout = schedule
    }
    // Without `retry` it pauses for 3,000 ms.
    assert.ok(pauses.includes(7), `paused for ${pauses}`)
  })
})
