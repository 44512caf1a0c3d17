import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { HistoryCursor } from '../../../lib/history/cursor.ts'
import { History } from '../../../lib/history/history.ts'
import { HistoryEntry } from '../../../lib/history/history-entry.ts'
import type { Target } from '../../../lib/protocol/target.ts'
import { encodeBlock } from '../../../lib/stream/sse.ts'
import { runs } from '../../support/tier.ts'

const TARGETS: readonly Target[] = [{ uid: 'a' }, { uid: 'b' }, { rid: 'a' }, { rid: 'b' }, {}]
const AGE = 1_000
const COUNT = 4
const BYTES = 6_000

const compare = (a: string, b: string) =>
  Number.isNaN(Number(a) - Number(b)) ? undefined : Number(a) - Number(b)

/** A plain array of all published events, with a mark on those that the history keeps. */
class Model {
  readonly events: { target: Target; position: number; time: number; evt: string; kept: boolean }[] = []

  of(target: Target) {
    return this.events.filter((event) => event.target === target)
  }

  kept() {
    return this.events.filter(({ kept }) => kept)
  }

  /** Evicts by count and age. Which events the bytes leave no room for, only the history knows. */
  evict(target: Target | undefined): void {
    const own = target === undefined ? [] : this.of(target)
    for (const event of own.slice(0, Math.max(0, own.length - COUNT))) event.kept = false
    for (const event of this.events) if (event.time <= performance.now() - AGE) event.kept = false
  }
}

describe('History', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance'] })
  })
  afterEach(() => clock.uninstall())

  const append = (history: History, target: Target, position: number, evt: string) =>
    history.append(
      { ...target, evt, position: String(position) },
      encodeBlock({ id: String(position), data: evt }),
      position,
    )
  /** Reads a cursor to its end. */
  function read(events: HistoryCursor): HistoryEntry[] {
    const entries: HistoryEntry[] = []
    for (let item = events.take(); item !== undefined; item = events.take()) {
      assert.ok(item instanceof HistoryEntry)
      entries.push(item)
    }
    return entries
  }
  const positions = (events: readonly { position: string }[]) =>
    events.map(({ position }) => Number(position))

  it('agrees with a plain array of all events, and names exactly the targets that lost some', () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ op: fc.constant('append' as const), at: fc.nat(4), size: fc.nat(1_500) }),
      },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.nat(600) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const history = new History({ count: COUNT, bytes: BYTES, age: AGE }, compare, '0')
        const model = new Model()
        for (const taken of steps) {
          if (taken.op === 'pass') {
            clock.tick(taken.ms)
            history.expire()
            model.evict(undefined)
          } else {
            const target = TARGETS[taken.at] as Target
            const position = model.events.length + 1
            const evt = 'x'.repeat(taken.size)
            append(history, target, position, evt)
            model.events.push({ target, position, time: performance.now(), evt, kept: true })
            model.evict(target)
            // The bound of bytes evicts the oldest events of some targets. Which ones, eviction.test.ts tells.
            for (const each of TARGETS) {
              const kept = model.of(each).filter((event) => event.kept)
              const left = history.recent(each, 99).length
              for (const event of kept.slice(0, kept.length - left)) event.kept = false
            }
          }
          check(history, model)
        }
        clock.tick(AGE)
        history.expire()
        assert.deepEqual(history.size, { events: 0, targets: 0, bytes: 0 })
      }),
      runs(200),
    )
  })

  it('evicts each event by itself when it is too old', () => {
    clock.uninstall()
    clock = FakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
    const history = new History({ count: COUNT, bytes: BYTES, age: AGE }, compare, '0')
    append(history, {}, 1, 'first')
    clock.tick(AGE / 2)
    append(history, {}, 2, 'second')
    const kept = () => history.size.events
    clock.tick(AGE / 2 - 1)
    assert.equal(kept(), 2)
    clock.tick(1)
    assert.equal(kept(), 1)
    clock.tick(AGE / 2)
    assert.deepEqual([kept(), clock.countTimers()], [0, 0])
    append(history, {}, 3, 'third')
    assert.equal(clock.countTimers(), 1)
    history.close()
    assert.equal(clock.countTimers(), 0)
  })

  function check(history: History, model: Model): void {
    const { events, targets, bytes } = history.size
    const kept = model.kept()
    assert.equal(events, kept.length)
    assert.equal(targets, new Set(kept.map(({ target }) => target)).size)
    assert.ok(bytes <= BYTES)
    const own = kept.reduce((sum, { evt }) => sum + evt.length, 0)
    assert.ok(bytes >= own)
    for (let since = 0; since <= model.events.length; since += 1) {
      const missed = history.since(String(since), TARGETS)
      const after = model.events.filter(({ position }) => position > since)
      assert.deepEqual(
        positions(read(missed.events)),
        after.filter((event) => event.kept).map(({ position }) => position),
      )
      for (const target of TARGETS) {
        const lost = after.some((event) => event.target === target && !event.kept)
        const named = missed.gaps.includes(target)
        if (lost) assert.ok(named, 'a loss that is not named')
        // A loss from before the target had a record may have been its own: the history cannot know.
        const first = kept.find((event) => event.target === target)?.position ?? Number.POSITIVE_INFINITY
        const doubtful = after.some((event) => !event.kept && event.position < first)
        if (named) assert.ok(lost || doubtful, 'named although nothing was lost')
      }
    }
    for (const target of TARGETS) {
      const all = kept.filter((event) => event.target === target).map(({ position }) => position)
      assert.deepEqual(positions(history.recent(target, 99)), all)
      assert.deepEqual(positions(history.recent(target, 2)), all.slice(-2))
      assert.deepEqual(history.recent(target, 0), [])
    }
  }

  it('does not name a complete target because others lost events', () => {
    const history = new History({ count: COUNT, bytes: 1_000_000, age: AGE }, compare, '0')
    append(history, { uid: 'a' }, 1, 'kept')
    for (let position = 2; position < 20; position += 1) append(history, {}, position, 'tick')
    const { events, gaps } = history.since('0', TARGETS)
    assert.deepEqual(gaps, [{}])
    assert.deepEqual(positions(read(events)), [1, 16, 17, 18, 19])
  })

  it('goes by the newest loss of all for a target that has no record any more', () => {
    const history = new History({ count: COUNT, bytes: 1_000_000, age: AGE }, compare, '0')
    append(history, { uid: 'a' }, 1, 'gone')
    clock.tick(AGE)
    append(history, { uid: 'b' }, 2, 'kept')
    const others = TARGETS.filter(({ uid }) => uid !== 'b')
    assert.deepEqual(history.since('0', TARGETS).gaps, others)
    assert.deepEqual(history.since('1', TARGETS).gaps, [])
  })

  it('names all targets for a position of another order', () => {
    const history = new History({ count: COUNT, bytes: 1_000_000, age: AGE }, compare, '0')
    append(history, { uid: 'a' }, 1, 'kept')
    const { events, gaps } = history.since('nonsense', TARGETS)
    assert.deepEqual([read(events), gaps], [[], TARGETS])
  })

  it('returns the published frame, small or large, on every call', () => {
    const history = new History({ count: COUNT, bytes: 1_000_000, age: AGE }, compare, '0')
    for (const [index, size] of [3, 100_000].entries()) {
      const data = `é\n${'x'.repeat(size)}`
      append(history, { rid: 'a' }, index + 1, data)
      const [event] = history.recent({ rid: 'a' }, 1)
      const frame = encodeBlock({ id: String(index + 1), data })
      assert.deepEqual(event?.frame, frame)
      const [first, second] = [event?.frame, event?.frame]
      assert.deepEqual(
        [second?.buffer === first?.buffer, second?.byteOffset],
        [true, first?.byteOffset],
        'a copy',
      )
      if (size > 4_096) assert.equal(second, first)
    }
  })
})
