import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { Outgoing } from '../../adapters/nats/outgoing.ts'
import { type QueuedEvent, SendQueue } from '../../adapters/nats/send-queue.ts'
import { CometError } from '../../lib/errors.ts'
import { runs } from '../support/tier.ts'

const MIB = 1_048_576
const [WINDOW, LIMIT, OUTAGE_LIMIT] = [4 * MIB, 64 * MIB, 16 * MIB]

/** An event as the model knows it: by the order of the calls of `publish`. */
interface Entry {
  readonly id: number
  readonly bytes: number
  readonly since: number
}

/** What a queue should have, in plain lists. */
class Model {
  waiting: Entry[] = []
  again: Entry[] = []
  onItsWay: Entry[] = []
  /** The ids of the events in the order in which they were sent for the first time: the number of an event less 1. */
  readonly first: number[] = []
  /** All that was sent, by id. */
  readonly sends: number[] = []
  readonly rejected = new Map<number, string>()
  readonly resolved = new Set<number>()
  isOpen = false
  isUp = true
  isClosed = false
  count = 0

  get bytes(): number {
    return sum([...this.waiting, ...this.again, ...this.onItsWay])
  }

  pump(): void {
    while (this.isOpen) {
      const next = this.again[0] ?? this.waiting[0]
      const isFull = this.onItsWay.length > 0 && sum(this.onItsWay) + (next?.bytes ?? 0) > WINDOW
      if (next === undefined || isFull) return
      if (this.again.shift() === undefined) {
        this.waiting.shift()
        this.first.push(next.id)
      }
      this.onItsWay.push(next)
      this.sends.push(next.id)
    }
  }

  reject(entries: readonly Entry[], code: string): void {
    for (const { id } of entries) if (!this.resolved.has(id)) this.rejected.set(id, code)
  }
}

/** What is tested, and what it has told. */
class Real {
  readonly sends: QueuedEvent[] = []
  readonly items: QueuedEvent[] = []
  readonly outgoing: Outgoing[] = []
  readonly rejected = new Map<number, string>()
  readonly resolved = new Set<number>()
  readonly queue = new SendQueue((item) => this.sends.push(item))
  readonly clock: FakeTimers.Clock

  constructor(clock: FakeTimers.Clock) {
    this.clock = clock
  }

  idOf({ outgoing }: QueuedEvent): number {
    return this.outgoing.indexOf(outgoing)
  }

  /** The item of an event that is on its way. */
  item(id: number): QueuedEvent {
    const found = Array.from(this.queue.sent).find((item) => this.idOf(item) === id)
    assert.ok(found)
    return found
  }
}

const sum = (entries: readonly Entry[]) => entries.reduce((total, { bytes }) => total + bytes, 0)

/** Makes a step for both, after which both must be the same. */
function step(name: string, act: (model: Model, real: Real) => void): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    async run(model, real) {
      act(model, real)
      // Settled promises are told within a few microtasks.
      for (let turn = 0; turn < 10; turn += 1) await undefined
      compare(model, real)
    },
    toString: () => name,
  }
}

function compare(model: Model, real: Real): void {
  assert.deepEqual(
    real.sends.map((item) => [real.idOf(item), item.number]),
    model.sends.map((id) => [id, model.first.indexOf(id) + 1]),
  )
  assert.deepEqual(
    Array.from(real.queue.sent, (item) => real.idOf(item)),
    model.onItsWay.map(({ id }) => id),
  )
  assert.deepEqual(new Map([...real.rejected].sort()), new Map([...model.rejected].sort()))
  assert.deepEqual([...real.resolved].sort(), [...model.resolved].sort())
  const isSettled = model.rejected.size + model.resolved.size === model.count
  assert.equal(real.queue.settled() === undefined, isSettled)
}

const publish = (bytes: number) =>
  step(`publish(${bytes})`, (model, real) => {
    const id = model.count
    model.count += 1
    const outgoing = { bytes } as Outgoing
    real.outgoing.push(outgoing)
    real.queue.publish(outgoing).then(
      () => real.resolved.add(id),
      ({ code }) => real.rejected.set(id, code),
    )
    const entry = { id, bytes, since: real.clock.performance.now() }
    if (model.isClosed) model.reject([entry], 'SHUTTING_DOWN')
    else if (model.bytes + bytes > (model.isUp ? LIMIT : OUTAGE_LIMIT)) model.reject([entry], 'UNAVAILABLE')
    else model.waiting.push(entry)
    model.pump()
  })

const open = step('open', (model, real) => {
  real.queue.open()
  model.isOpen = true
  model.pump()
})

const pause = step('pause', (model, real) => {
  real.queue.pause()
  model.isOpen = false
  model.again.unshift(...model.onItsWay.splice(0))
})

const setUp = (isUp: boolean) =>
  step(`setUp(${isUp})`, (model, real) => {
    real.queue.setUp(isUp)
    model.isUp = isUp
    while (!isUp && model.bytes > OUTAGE_LIMIT && model.waiting.length > 0) {
      model.reject(model.waiting.splice(-1), 'UNAVAILABLE')
    }
  })

/** NATS takes, or refuses, one of the events on their way; or one is delivered. */
const answer = (what: 'taken' | 'refuse' | 'settle', which: number) =>
  step(`${what}(${which})`, (model, real) => {
    const entry = model.onItsWay[which % (model.onItsWay.length || 1)]
    if (entry === undefined) return
    const item = real.item(entry.id)
    if (what === 'settle') {
      real.queue.settle(item)
      model.resolved.add(entry.id)
      return
    }
    if (what === 'taken') assert.equal(real.queue.taken(item), true)
    else real.queue.refuse(item, new CometError('EVENT_TOO_LARGE'))
    model.onItsWay.splice(model.onItsWay.indexOf(entry), 1)
    if (what === 'refuse') model.reject([entry], 'EVENT_TOO_LARGE')
    else {
      // Delivered at the same time, as far as it was not before: nothing is left to settle it.
      real.queue.settle(item)
      model.resolved.add(entry.id)
    }
    model.pump()
  })

const wait = (ms: number) =>
  step(`wait(${ms})`, (model, real) => {
    real.clock.tick(ms)
    const now = real.clock.performance.now()
    // Whole seconds and a timer that begins at one: nothing is between 30 and 31 s old.
    const old = model.waiting.findIndex(({ since }) => now - since <= 30_000)
    model.reject(model.waiting.splice(0, old < 0 ? model.waiting.length : old), 'UNAVAILABLE')
  })

const close = step('close', (model, real) => {
  real.queue.close()
  model.isOpen = false
  model.isClosed = true
  const left = [...model.onItsWay.splice(0), ...model.again.splice(0), ...model.waiting.splice(0)]
  model.reject(left, 'SHUTTING_DOWN')
})

const which = fc.nat({ max: 20 })
const bytes = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 100, max: 1_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: MIB / 2, max: 5 * MIB }) },
)

const steps = [
  bytes.map(publish),
  bytes.map(publish),
  bytes.map(publish),
  fc.constantFrom(open, open, pause),
  fc.boolean().map(setUp),
  which.map((at) => answer('taken', at)),
  which.map((at) => answer('taken', at)),
  fc.tuple(fc.constantFrom('refuse' as const, 'settle' as const), which).map((args) => answer(...args)),
  fc.integer({ min: 1, max: 20 }).map((seconds) => wait(1_000 * seconds)),
  fc.nat({ max: 30 }).map((at) => (at === 0 ? close : open)),
]

describe('SendQueue under random operations', () => {
  it('has, sends and settles what plain lists do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: 'max' }), async (commands) => {
        const clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval', 'performance'] })
        try {
          const real = new Real(clock)
          await fc.asyncModelRun(() => ({ model: new Model(), real }), commands)
          real.queue.close()
          assert.equal(clock.countTimers(), 0)
        } finally {
          clock.uninstall()
        }
      }),
      runs(300),
    )
  })
})
