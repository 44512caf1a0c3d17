import { History } from '../../lib/history/history.ts'
import type { Target } from '../../lib/protocol/target.ts'
import { encodeBlock } from '../../lib/stream/sse.ts'

/** What a full history says it takes, and what it takes. */
export interface HistoryHeap {
  readonly name: string
  readonly bound: number
  readonly bytes: number
  readonly held: number
  readonly targets: number
}

interface Load {
  readonly name: string
  readonly events: number
  readonly bytes: number
  readonly target: (index: number) => Target
  /** Events that are not kept between any two that are. */
  readonly others?: number
  /** Whether clients came back for what is kept. */
  readonly read?: boolean
}

const MIB = 1_048_576

const LOADS: readonly Load[] = [
  { name: '100,000 users', events: 100_000, bytes: 20, target: (index) => ({ uid: `user-${index}` }) },
  {
    name: '100,000 users with long ids',
    events: 100_000,
    bytes: 20,
    target: (index) => ({ uid: `user-${index}`.padEnd(250, '-') }),
  },
  {
    name: '100,000 rooms that were read',
    events: 100_000,
    bytes: 20,
    target: (index) => ({ rid: `room-${index}` }),
    read: true,
  },
  {
    name: 'rooms among much that is transient',
    events: 40_000,
    bytes: 100,
    target: (index) => ({ rid: `room-${index}` }),
    others: 20,
  },
  { name: 'large events', events: 2_000, bytes: 50_000, target: () => ({}), read: true },
]

/** Run as a process of its own, with `--expose-gc`. */
const heaps = [...LOADS.map(fill), holdEvicted()]
process.stdout.write(JSON.stringify(heaps))

function fill({ name, events, bytes, target, others = 0, read = false }: Load): HistoryHeap {
  const bound = 16 * MIB
  const history = new History({ count: events, bytes: bound, age: 3_600_000 }, compare, '0')
  const before = used()
  for (let index = 0; index < events; index += 1) {
    append(history, target(index), index + 1, bytes)
    for (let other = 0; other < others; other += 1) encodeBlock({ data: text(other, bytes) })
  }
  if (read) {
    const targets = new Set(Array.from({ length: events }, (_, index) => target(index)))
    for (const each of targets) for (const kept of history.recent(each, 1)) kept.frame?.readUInt8(0)
  }
  const held = used() - before
  // Asked last, so that the history is there until then.
  const { targets, bytes: accounted } = history.size
  return { name, bound, bytes: accounted, held, targets }
}

/** A client that is sent an event for long holds that one, and not all that came and went after it. */
function holdEvicted(): HistoryHeap {
  const bound = 16 * MIB
  const history = new History({ count: 1_000_000, bytes: bound, age: 3_600_000 }, compare, '0')
  const before = used()
  append(history, {}, 1, 100)
  const held = history.recent({}, 1)
  for (let index = 1; index < 200_000; index += 1) append(history, { rid: `${index % 100}` }, index + 1, 100)
  const growth = used() - before
  const { targets, bytes } = history.size
  return { name: 'what a slow client still holds', bound, bytes, held: growth + held.length, targets }
}

function append(history: History, target: Target, index: number, bytes: number): void {
  const position = String(index)
  const evt = text(index, bytes)
  history.append({ ...target, evt, position }, encodeBlock({ id: position, data: evt }), index)
}

/** A text that shares nothing with another. */
function text(index: number, bytes: number): string {
  return Buffer.allocUnsafeSlow(bytes).fill(`${index} `).toString('latin1')
}

function compare(a: string, b: string): number {
  return Number(a) - Number(b)
}

function used(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
