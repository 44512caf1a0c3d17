/**
 * Compares the parser of the client with eventsource-parser, in one process and by turns: `node bench/parser.js`, or
 * `node bench/parser.js --quick` to see that it works. Both get bytes, as a client that reads with fetch does.
 */
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { createParser } from 'eventsource-parser'
import { medianOf, signInterval, spreadText } from './statistics.js'

/** The bytes that one sample parses. A sample takes milliseconds. */
const SAMPLE_BYTES = 4 * 1_024 * 1_024

/** Rounds that warm V8 up and do not count. */
const WARM_UPS = 6

const ROUNDS = 61

/** @typedef {{ name: string, chunks: Uint8Array[] }} Stream */

/** Parses a stream, and returns the sum of all lengths in its events. @typedef {(chunks: Uint8Array[]) => number} Parse */

const { quick } = parseArgs({ options: { quick: { type: 'boolean', default: false } } }).values

/** The client's bundle has no file of its own for its parser. @returns {Promise<typeof import('../client/parser.ts')>} */
async function importParser() {
  const entry = new URL('../client/parser.ts', import.meta.url).pathname
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  })
  return await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? '')}`)
}

const { EventStreamParser } = await importParser()

/** @type {Parse} */
function parseOurs(chunks) {
  let sum = 0
  const parser = new EventStreamParser(
    ({ event, data, id }) => {
      sum += event.length + data.length + (id?.length ?? 0)
    },
    () => {},
  )
  for (const chunk of chunks) parser.push(chunk)
  return sum
}

/** Without `onComment` it does not read rooms, which saves it some work for each event. @type {Parse} */
function parseTheirs(chunks) {
  let sum = 0
  const decoder = new TextDecoder()
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      sum += (event?.length ?? 0) + data.length + (id?.length ?? 0)
    },
  })
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  return sum
}

/**
 * A copy of the module, so that V8 compiles it for its own callbacks. With one module for both, each would slow the
 * other down.
 *
 * @type {typeof import('eventsource-parser')}
 */
const { createParser: createParserWithRooms } = await import(
  `${import.meta.resolve('eventsource-parser')}?rooms`
)

/** Reads rooms, as the client does. @type {Parse} */
function parseTheirsWithRooms(chunks) {
  let sum = 0
  /** @type {string | undefined} */
  let rid
  const decoder = new TextDecoder()
  const parser = createParserWithRooms({
    onComment: (comment) => {
      if (comment.startsWith('rid=')) rid = comment.slice('rid='.length)
    },
    onEvent: ({ event, data, id }) => {
      rid = undefined
      sum += (event?.length ?? 0) + data.length + (id?.length ?? 0)
    },
  })
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  // The compiler must not find out that nothing reads it.
  return rid === undefined ? sum : Number.NaN
}

const PARSERS = {
  client: parseOurs,
  'eventsource-parser': parseTheirs,
  'eventsource-parser with rooms': parseTheirsWithRooms,
}

/** @typedef {keyof typeof PARSERS} Name */

const NAMES = /** @type {Name[]} */ (Object.keys(PARSERS))

/**
 * An event as Comet writes it.
 *
 * @param {number} number @param {number} length of the data @param {string} [character] that the data begins with
 */
function blockOf(number, length, character = '') {
  const data = `${character}{"number":${number},"text":"${'lorem ipsum '.repeat(length / 12 + 1)}`
  return `:rid=lobby\nevent: chat\ndata: ${data.slice(0, length - 2)}"}\nid: 7f3a9c51-${number}\n\n`
}

/**
 * Small events, with 60 to 200 characters of data.
 *
 * @param {string} [character]
 */
function smallBlocks(character) {
  /** @type {string[]} */
  const blocks = []
  for (let [bytes, number] = [0, 0]; bytes < SAMPLE_BYTES; number += 1) {
    const block = blockOf(number, 60 + ((number * 37) % 141), character)
    blocks.push(block)
    bytes += block.length
  }
  return blocks
}

/** @param {number} length of each event's data */
function largeBlocks(length) {
  return Array.from({ length: SAMPLE_BYTES / length }, (_, number) => blockOf(number, length))
}

/** @param {string[]} blocks @param {number} size @returns the stream in chunks of this size in bytes */
function cut(blocks, size) {
  const bytes = new TextEncoder().encode(blocks.join(''))
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

/** @type {Stream[]} */
const streams = [
  ...[1, 4, 16, 64].map((kib) => ({
    name: `small events in chunks of ${kib} KiB`,
    chunks: cut(smallBlocks(), kib * 1_024),
  })),
  { name: 'one small event a chunk', chunks: smallBlocks().map((block) => new TextEncoder().encode(block)) },
  { name: 'small events with an emoji, 16 KiB', chunks: cut(smallBlocks('\u{1f600}'), 16_384) },
  {
    name: 'small events with CRLF, 16 KiB',
    chunks: cut(
      smallBlocks().map((block) => block.replaceAll('\n', '\r\n')),
      16_384,
    ),
  },
  { name: 'events of 64 KiB in chunks of 16 KiB', chunks: cut(largeBlocks(65_536), 16_384) },
  { name: 'events of 1 MiB in chunks of 64 KiB', chunks: cut(largeBlocks(1_048_576), 65_536) },
]

/** @param {Parse} parse @param {Uint8Array[]} chunks @returns MiB per second */
function measure(parse, chunks) {
  const start = performance.now()
  parse(chunks)
  return SAMPLE_BYTES / 1_048_576 / ((performance.now() - start) / 1_000)
}

for (const { name, chunks } of streams) {
  const sums = new Set(NAMES.map((each) => PARSERS[each](chunks)))
  if (sums.size > 1) throw new Error(`The parsers differ: ${name}`)
}

const rounds = quick ? 1 : ROUNDS
/** MiB per second, one of each parser a round. @type {Map<string, Record<Name, number>[]>} */
const found = new Map(streams.map(({ name }) => [name, []]))
for (let round = quick ? 0 : -WARM_UPS; round < rounds; round += 1) {
  // The change of order cancels what only the first or the last costs.
  const order = round % 2 === 0 ? NAMES : NAMES.toReversed()
  for (const { name, chunks } of streams) {
    const speeds = order.map((each) => [each, measure(PARSERS[each], chunks)])
    if (round >= 0) found.get(name)?.push(Object.fromEntries(speeds))
  }
}

console.log(`\nParsers of event streams: MiB/s, median (least–most) of ${rounds} rounds by turns,`)
console.log('and the median of client ÷ other, one ratio a round')
for (const [name, results] of found) {
  console.log(`\n${name}`)
  for (const each of NAMES) {
    const speeds = results.map((speeds) => speeds[each])
    const text = `  ${each.padEnd(31)}${spreadText(speeds, 0).padEnd(18)}`
    console.log(each === 'client' ? text.trimEnd() : text + ratioText(results, each))
  }
}

/** @param {Record<Name, number>[]} results @param {Name} other */
function ratioText(results, other) {
  const ratios = results.map((speeds) => speeds.client / speeds[other])
  const interval = signInterval(ratios)
  const text = `×${medianOf(ratios).toFixed(2)}`
  if (interval === undefined) return text
  return `${text} (95 % interval ${interval.low.toFixed(2)}–${interval.high.toFixed(2)})`
}
