import assert from 'node:assert/strict'
import { createParser as createReference } from 'eventsource-parser'
import fc from 'fast-check'
import { type Block, createParser } from '../../client/parser.ts'
import { runs } from '../support/tier.ts'

const encoder = new TextEncoder()

const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replace(/[\r\n]/g, '')),
  fc.constantFrom('', ' ', '  x', ':', '\u{1f600}', 'a\0b', '\ufeff', '12', '007', '1e3', '-1', 'rid=a'),
)
const field = fc.constantFrom('data', 'data', 'data', 'event', 'id', 'retry', 'unknown', 'dat', 'Data', '')
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(field, fc.constantFrom(':', ': '), value).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.constantFrom('data', 'event', 'id', ':', ': comment', 'retry') },
  { weight: 4, arbitrary: fc.constant('') },
)
const stream = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 24 }))
  .map(([hasBom, lines]) => `${hasBom ? '\ufeff' : ''}${lines.map((parts) => parts.join('')).join('')}\n\n`)

/** What a parser made of a stream. */
interface Parsed {
  readonly events: { readonly event: string; readonly data: string; readonly id: string | undefined }[]
  readonly retries: number[]
}

function parse(pieces: readonly Uint8Array[]): Parsed {
  const parsed: Parsed = { events: [], retries: [] }
  const push = createParser(
    ({ event, data, id }) => parsed.events.push({ event, data, id }),
    (retry) => parsed.retries.push(retry),
  )
  for (const piece of pieces) push(piece)
  return parsed
}

function parseByReference(text: string): Parsed {
  const parsed: Parsed = { events: [], retries: [] }
  const reference = createReference({
    onEvent: ({ event = '', data, id }) => parsed.events.push({ event, data, id }),
    onRetry: (retry) => parsed.retries.push(retry),
  })
  reference.feed(new TextDecoder().decode(encoder.encode(text)))
  return parsed
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  const push = createParser(
    (block) => blocks.push(block),
    () => {},
  )
  push(encoder.encode(text))
  return blocks
}

describe('The parser of the client', () => {
  it('finds the events that eventsource-parser finds, wherever the stream is cut', () => {
    fc.assert(
      fc.property(stream, (text) => {
        const bytes = encoder.encode(text)
        const expected = parseByReference(text)
        assert.deepEqual(parse([bytes]), expected)
        assert.deepEqual(parse(Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1))), expected)
        for (let at = 1; at < bytes.length; at += 1) {
          assert.deepEqual(parse([bytes.subarray(0, at), bytes.subarray(at)]), expected)
        }
      }),
      runs(500),
    )
  })

  it('reads the room and the position from the comments of a block, and of no other', () => {
    assert.deepEqual(blocksOf(':rid=a b\n:at=e-1\ndata: 1\nid: p\n\n:rid=x\n\ndata: 2\n\n'), [
      { rid: 'a b', at: 'e-1', data: '1', id: 'p', event: '' },
      { data: '2', event: '' },
    ])
  })

  it('dispatches a block without waiting for another byte, whatever its line ends are', () => {
    for (const end of ['\n', '\r', '\r\n'])
      assert.equal(blocksOf(`data: x${end}${end}`).length, 1, JSON.stringify(end))
  })

  it('reads a line that comes in many pieces', () => {
    const data = 'x'.repeat(1_048_576)
    const bytes = encoder.encode(`data: ${data}\n\n`)
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += 16) pieces.push(bytes.subarray(at, at + 16))
    assert.equal(parse(pieces).events[0]?.data, data)
  })
})
