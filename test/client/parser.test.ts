import assert from 'node:assert/strict'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { type Block, EventStreamParser } from '../../client/parser.ts'
import { countTextSteps } from '../support/text-steps.ts'
import { runs } from '../support/tier.ts'

const encoder = new TextEncoder()

const LINE_ENDS = ['\n', '\r', '\r\n'] as const

const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => text.replace(/[\r\n]/g, '')),
  fc.constantFrom('', ' ', '  x', ':', ' :', '\u{1f600}', 'é\u{10ffff}', 'a\0b', '\0', '\ufeff', 'rid=a'),
)
const retry = fc.oneof(
  fc.nat().map(String),
  fc.constantFrom('', '0', '007', '1e3', '-1', '+1', '1.5', '1 ', ' 1', '\uff11', 'x', '9'.repeat(400)),
)
const colon = fc.constantFrom(':', ': ', ':  ')
const name = fc.constantFrom(
  ...['data', 'data', 'data', 'event', 'id', ''],
  ...[
    'unknown',
    'dat',
    'dataa',
    'Data',
    'data ',
    ' data',
    'even',
    'events',
    'i',
    'idd',
    'retr',
    'retryy',
    '\ufeffdata',
  ],
)
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, colon, value) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('retry'), colon, retry) },
  { weight: 1, arbitrary: fc.constantFrom(['data'], ['event'], ['id'], ['retry'], ['unknown'], [':']) },
  {
    weight: 1,
    arbitrary: fc.constantFrom([':rid=a'], [':at=e-1'], [': rid=a'], [':rid'], [':a'], [': comment']),
  },
  { weight: 4, arbitrary: fc.constant(['']) },
)

/** A stream of any lines. It ends with an empty line, whose LF makes eventsource-parser take a CR that comes before. */
const stream = fc
  .tuple(
    fc.constantFrom('', '', '\ufeff'),
    fc.array(fc.tuple(line, fc.constantFrom(...LINE_ENDS)), { maxLength: 20, size: 'max' }),
  )
  .map(([bom, lines]) => `${bom}${lines.map(([parts, end]) => parts.join('') + end).join('')}\n\n`)

/** What eventsource-parser knows of a stream. */
interface Parsed {
  readonly events: { readonly event: string; readonly data: string; readonly id: string | undefined }[]
  readonly retries: number[]
}

function parse(chunks: readonly Uint8Array[]): Parsed {
  const parsed: Parsed = { events: [], retries: [] }
  const parser = new EventStreamParser(
    ({ event, data, id }) => parsed.events.push({ event, data, id }),
    (milliseconds) => parsed.retries.push(milliseconds),
  )
  for (const chunk of chunks) parser.push(chunk)
  return parsed
}

function parseElsewhere(bytes: Uint8Array): Parsed {
  const parsed: Parsed = { events: [], retries: [] }
  const parser = createParser({
    onEvent: ({ event = '', data, id }) => parsed.events.push({ event, data, id }),
    onRetry: (milliseconds) => parsed.retries.push(milliseconds),
  })
  parser.feed(new TextDecoder().decode(bytes))
  return parsed
}

/** Compares texts first, because the comparison of objects would take most of the time. */
function assertSame(parsed: Parsed, expected: Parsed, text: string, how: string): void {
  const [actual, wanted] = [parsed, expected].map((each) => JSON.stringify(each))
  if (actual !== wanted) assert.deepEqual(parsed, expected, `${JSON.stringify(text)}, ${how}`)
}

/** Cuts bytes into chunks of one size. */
function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

function blocksOf(chunks: string | readonly (string | Uint8Array)[]): Block[] {
  const blocks: Block[] = []
  const parser = new EventStreamParser(
    (block) => blocks.push(block),
    () => {},
  )
  for (const chunk of [chunks].flat()) parser.push(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
  return blocks
}

/** The data of each block. */
function dataOf(chunks: string | readonly (string | Uint8Array)[]): string[] {
  return blocksOf(chunks).map(({ data }) => data)
}

const NONE = { event: '', id: undefined, rid: undefined, at: undefined }

describe('EventStreamParser', () => {
  it('finds the events and retries that eventsource-parser finds, cut at every byte', () => {
    fc.assert(
      fc.property(stream, (text) => {
        const bytes = encoder.encode(text)
        const expected = parseElsewhere(bytes)
        assertSame(parse([bytes]), expected, text, 'in one piece')
        assertSame(parse(cut(bytes, 1)), expected, text, 'byte by byte')
        for (let at = 1; at < bytes.length; at += 1) {
          assertSame(parse([bytes.subarray(0, at), bytes.subarray(at)]), expected, text, `cut at byte ${at}`)
        }
      }),
      runs(500),
    )
  })

  it('finds the same rooms and positions wherever a stream is cut', () => {
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 9 }), (text, size) => {
        const bytes = encoder.encode(text)
        assert.deepEqual(blocksOf(cut(bytes, size)), blocksOf([bytes]))
      }),
    )
  })

  it('reads rid and at from the comments of a block, and of no other', () => {
    const text =
      ':rid=a b\n:at=e-1\ndata: 1\nid: p\n\n:rid=x\n:at=y\n\ndata: 2\n\nevent: e\ndata: 3\n:rid=\n\n'
    assert.deepEqual(blocksOf(text), [
      { event: '', data: '1', id: 'p', rid: 'a b', at: 'e-1' },
      { ...NONE, data: '2' },
      { ...NONE, event: 'e', data: '3', rid: '' },
    ])
  })

  it('reads rid and at only from comments that are written exactly so', () => {
    for (const comment of [
      ': rid=x',
      ':rid',
      ':rid:x',
      ':RID=x',
      '::rid=x',
      'rid=x',
      'rid: x',
      ': at=x',
      ':at',
    ]) {
      assert.deepEqual(blocksOf(`${comment}\ndata: 1\n\n`), [{ ...NONE, data: '1' }], comment)
    }
    assert.deepEqual(blocksOf(':rid= x:y \ndata: 1\n\n'), [{ ...NONE, data: '1', rid: ' x:y ' }])
  })

  it('drops name, id, rid and at of a block without data', () => {
    assert.deepEqual(blocksOf('event: e\nid: p\n:rid=a\n:at=b\n\ndata\n\n'), [{ ...NONE, data: '' }])
  })

  it('ignores an id with NUL, and keeps the one before it', () => {
    assert.deepEqual(blocksOf('id: p\nid: a\0b\ndata: 1\n\nid: \0\ndata: 2\n\nid\ndata: 3\n\n'), [
      { ...NONE, data: '1', id: 'p' },
      { ...NONE, data: '2' },
      { ...NONE, data: '3', id: '' },
    ])
  })

  for (const end of LINE_ENDS) {
    it(`dispatches at the end of the empty line, and waits for no byte more: ${JSON.stringify(end)}`, () => {
      // The first byte of CRLF ends a line already.
      const bytes = encoder.encode(`data: 1${end}${end.slice(0, 1)}`)
      assert.deepEqual(dataOf([bytes]), ['1'])
      assert.deepEqual(dataOf(cut(bytes, 1)), ['1'])
      assert.deepEqual(dataOf([bytes.subarray(0, -1)]), [])
    })
  }

  it('skips the LF of a CRLF that comes in the next chunk, also after an empty one', () => {
    assert.deepEqual(dataOf(['data: 1\r', '\ndata: 2\r', '\n\r', '\n']), ['1\n2'])
    assert.deepEqual(dataOf(['data: 1\r', '', '\n', 'data: 2\r', '\n', '\n']), ['1\n2'])
    assert.deepEqual(dataOf(['data: 1\r', '\n\ndata: 2\n\n']), ['1', '2'])
  })

  it('strips one BOM, and only at the start', () => {
    const bytes = encoder.encode('\ufeffdata: 1\n\n\ufeffdata: 2\n\ndata: \ufeff3\n\n')
    for (const chunks of [[bytes], cut(bytes, 1)]) assert.deepEqual(dataOf(chunks), ['1', '\ufeff3'])
    assert.deepEqual(dataOf('\ufeff\ufeffdata: 1\n\n'), [])
  })

  it('reads bytes that are no UTF-8 as U+FFFD', () => {
    assert.deepEqual(dataOf(['data: ', Uint8Array.of(0xf0, 0x9f), 'x\n\n']), ['\ufffdx'])
  })

  it('passes on what a callback throws', () => {
    const failure = new Error('of the app')
    const fail = () => {
      throw failure
    }
    const parser = new EventStreamParser(fail, fail)
    assert.throws(() => parser.push(encoder.encode('data: 1\n\n')), failure)
    assert.throws(() => parser.push(encoder.encode('retry: 1\n')), failure)
  })

  it('keeps no part of a block whose callback threw', () => {
    const blocks: Block[] = []
    const parser = new EventStreamParser(
      (block) => {
        if (blocks.push(block) === 1) throw new Error('of the app')
      },
      () => {},
    )
    assert.throws(() => parser.push(encoder.encode(':rid=a\nevent: e\nid: p\ndata: 1\n\n')))
    parser.push(encoder.encode('data: 2\n\n'))
    assert.deepEqual(blocks[1], { ...NONE, data: '2' })
  })
})

describe('EventStreamParser, where eventsource-parser differs from the standard', () => {
  /** Both parsers get the stream in one piece. */
  const dataOfBoth = (text: string) => [
    dataOf(text),
    parseElsewhere(encoder.encode(text)).events.map(({ data }) => data),
  ]

  it('takes a CR at the end of a chunk for a line end at once, and eventsource-parser waits for what follows', () => {
    assert.deepEqual(dataOfBoth('data: 1\r\r'), [['1'], []])
    assert.deepEqual(dataOfBoth('data: 1\n\r'), [['1'], []])
  })

  it('strips only a BOM, and eventsource-parser also the characters of its three bytes in Latin-1', () => {
    assert.deepEqual(dataOfBoth('ï»¿data: 1\n\n'), [[], ['1']])
  })
})

describe('EventStreamParser: the number of characters that it looks at', () => {
  const SIZE = 262_144

  /** Streams of any length, each the worst case of another kind. */
  const STREAMS: readonly [name: string, chunks: (length: number) => Uint8Array[]][] = [
    [
      'an event in chunks of 16 bytes',
      (length) => cut(encoder.encode(`data: ${'x'.repeat(length)}\n\n`), 16),
    ],
    [
      'an event of lines, byte by byte',
      (length) => cut(encoder.encode(`${'data: x\n'.repeat(length / 8)}\n`), 1),
    ],
    ['lines without colon in one chunk', (length) => [encoder.encode('x\n'.repeat(length / 2))]],
    [
      'empty lines of CR, and one LF, in one chunk',
      (length) => [encoder.encode(`${'\r'.repeat(length)}x\n`)],
    ],
    [
      'empty lines of LF, and one CR, in one chunk',
      (length) => [encoder.encode(`${'\n'.repeat(length)}x\r`)],
    ],
    ['ids in one chunk', (length) => [encoder.encode('id: 1\n'.repeat(length / 6))]],
  ]

  for (const [name, chunksOf] of STREAMS) {
    it(`is linear: ${name}`, () => {
      const [once, twice] = [SIZE, 2 * SIZE].map((length) => {
        const chunks = chunksOf(length)
        return countTextSteps(() => void parse(chunks))
      }) as [number, number]
      assert.ok(once >= SIZE / 4, `${once}`)
      assert.ok(twice < 2.1 * once, `${once} for ${SIZE}, and ${twice} for twice as many`)
    })
  }

  it('would show a parser that searches what has come so far at each chunk', () => {
    const [once, twice] = [4_096, 8_192].map((length) =>
      countTextSteps(() => {
        let text = ''
        for (let at = 0; at < length; at += 16) {
          text += 'x'.repeat(16)
          text.indexOf('\n')
        }
      }),
    ) as [number, number]
    assert.ok(twice > 3.5 * once, `${once}, ${twice}`)
  })

  it('reads an event of 1 MiB in chunks of 16 bytes', () => {
    const data = 'x'.repeat(1_048_576)
    assert.deepEqual(dataOf(cut(encoder.encode(`data: ${data}\n\n`), 16)), [data])
  })
})
