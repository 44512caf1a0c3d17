import { setTimeout as sleep } from 'node:timers/promises'
import type { History } from '../../lib/history/history.ts'
import type { Target } from '../../lib/protocol/target.ts'
import { encodeBlock } from '../../lib/stream/sse.ts'
import { append as appendEvent, makeHistory } from './history-events.ts'

/** The memory of a full history, in bytes: what it accounts for, and what the heap holds. */
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
  /** The number of transient events between any two that are kept. */
  readonly others?: number
  /** Whether clients resume, so that the frames of the events are made again. */
  readonly read?: boolean
}

/** Run as a process of its own, with `--expose-gc`: `history-heap.ts <bound in MiB>`. */
const MIB = Number(process.argv[2])
const BOUND = MIB * 1_048_576
/** Five times as many small events as the bound leaves room for. */
const MANY = MIB * 6_250

const LOADS: readonly Load[] = [
  { name: 'many users', events: MANY, bytes: 20, target: (index) => ({ uid: `user-${index}` }) },
  {
    name: 'many users with long ids',
    events: MANY,
    bytes: 20,
    target: (index) => ({ uid: `user-${index}`.padEnd(250, '-') }),
  },
  {
    name: 'many rooms that clients resumed',
    events: MANY,
    bytes: 20,
    target: (index) => ({ rid: `room-${index}` }),
    read: true,
  },
  {
    name: 'rooms among many transient events',
    events: 0.4 * MANY,
    bytes: 100,
    target: (index) => ({ rid: `room-${index}` }),
    others: 20,
  },
  { name: 'large events', events: MANY / 50, bytes: 50_000, target: () => ({}), read: true },
]

const heaps: HistoryHeap[] = []
for (const load of LOADS) heaps.push(await fill(load))
heaps.push(await holdEvicted())
process.stdout.write(JSON.stringify(heaps))

async function fill({ name, events, bytes, target, others = 0, read = false }: Load): Promise<HistoryHeap> {
  const history = makeHistory({ bytes: BOUND, age: 3_600_000 })
  const before = await used()
  for (let index = 0; index < events; index += 1) {
    append(history, target(index), index + 1, bytes)
    for (let other = 0; other < others; other += 1) encodeBlock({ data: text(other, bytes) })
  }
  if (read) readAll(history, events, target)
  const held = (await used()) - before
  // Read last, so that the history is not collected before.
  const { targets, bytes: accounted } = history.size
  return { name, bound: BOUND, bytes: accounted, held, targets }
}

/** In a function of its own: what a function has used may be in memory until it returns. */
function readAll(history: History, events: number, target: Load['target']): void {
  for (let index = 0; index < events; index += 1) {
    for (const kept of history.recent(target(index), 1)) kept.frame?.readUInt8(0)
  }
}

/** A client that takes long to be sent an event holds that event, and none of those that were evicted after it. */
async function holdEvicted(): Promise<HistoryHeap> {
  const history = makeHistory({ bytes: BOUND, age: 3_600_000 })
  const before = await used()
  append(history, {}, 1, 100)
  const held = history.recent({}, 1)
  for (let index = 1; index < 2 * MANY; index += 1) append(history, { rid: `${index % 100}` }, index + 1, 100)
  const growth = (await used()) - before
  const { targets, bytes } = history.size
  return {
    name: 'an evicted event that a client still needs',
    bound: BOUND,
    bytes,
    held: growth + held.length,
    targets,
  }
}

function append(history: History, target: Target, index: number, bytes: number): void {
  appendEvent(history, target, index, text(index, bytes), { events: 1_000_000 })
}

/** A text that shares no memory with another. */
function text(index: number, bytes: number): string {
  return Buffer.allocUnsafeSlow(bytes).fill(`${index} `).toString('latin1')
}

/** The memory in use when no more of it becomes free. V8 frees the memory of Buffers later than it finds them unused. */
async function used(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 20; round += 1) {
    globalThis.gc?.()
    await sleep(5)
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    const bytes = heapUsed + arrayBuffers
    if (round > 1 && bytes > least - 10_000) return Math.min(least, bytes)
    least = Math.min(least, bytes)
  }
  return least
}
