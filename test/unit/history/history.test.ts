import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { HistoryCursor } from '../../../lib/history/cursor.ts'
import { Exclusion } from '../../../lib/history/exclusion.ts'
import type { History } from '../../../lib/history/history.ts'
import { HistoryEntry } from '../../../lib/history/history-entry.ts'
import type { Target } from '../../../lib/protocol/target.ts'
import { append as appendEvent, blockOf, type Details, makeHistory } from '../../support/history-events.ts'
import { runs } from '../../support/tier.ts'

const TARGETS: readonly Target[] = [{ uid: 'a' }, { rid: 'a' }, { rid: 'b' }, { sid: 'a' }, {}]
const AGE = 1_000
const COUNT = 4
const BYTES = 6_000

/** An event that was published, and the targets whose history has it still. */
interface Published {
  readonly targets: readonly Target[]
  readonly position: number
  readonly time: number
  readonly data: string
  readonly storedBy: Set<Target>
}

/** A plain array of all published events. */
class Model {
  readonly events: Published[] = []

  storedBy(target: Target): Published[] {
    return this.events.filter((event) => event.storedBy.has(target))
  }

  stored(): Published[] {
    return this.events.filter(({ storedBy }) => storedBy.size > 0)
  }

  /** Evicts by count and age. Which events the bytes leave no room for, only the history knows. */
  evict(): void {
    for (const target of TARGETS) {
      const own = this.storedBy(target)
      for (const event of own.slice(0, Math.max(0, own.length - COUNT))) event.storedBy.delete(target)
    }
    for (const event of this.events) if (event.time <= performance.now() - AGE) event.storedBy.clear()
  }
}

describe('History', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance'] })
  })
  afterEach(() => clock.uninstall())

  const append = (
    history: History,
    target: Target | readonly Target[],
    position: number,
    data: string,
    details: Details = {},
  ) => appendEvent(history, target, position, data, { events: COUNT, age: AGE, ...details })
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
        arbitrary: fc.record({
          op: fc.constant('append' as const),
          targets: fc.subarray([...TARGETS], { minLength: 1 }),
          size: fc.nat(1_500),
        }),
      },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.nat(600) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const history = makeHistory({ bytes: BYTES, age: AGE })
        const model = new Model()
        for (const taken of steps) {
          if (taken.op === 'pass') {
            clock.tick(taken.ms)
            history.expire()
            model.evict()
          } else {
            const { targets, size } = taken
            const position = model.events.length + 1
            const data = 'x'.repeat(size)
            append(history, targets, position, data)
            const time = performance.now()
            model.events.push({ targets, position, time, data, storedBy: new Set(targets) })
            model.evict()
            // The bound of bytes evicts the oldest events of some targets. Which ones, eviction.test.ts tells.
            for (const each of TARGETS) {
              const stored = model.storedBy(each)
              const left = history.recent(each, 99).length
              for (const event of stored.slice(0, stored.length - left)) event.storedBy.delete(each)
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
    const history = makeHistory({ bytes: BYTES, age: AGE })
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
    const stored = model.stored()
    assert.equal(events, stored.length)
    assert.equal(targets, TARGETS.filter((target) => model.storedBy(target).length > 0).length)
    assert.ok(bytes <= BYTES)
    const own = stored.reduce((sum, { data }) => sum + data.length, 0)
    assert.ok(bytes >= own)
    for (let since = 0; since <= model.events.length; since += 1) {
      const missed = history.since(String(since), TARGETS)
      const after = model.events.filter(({ position }) => position > since)
      assert.deepEqual(
        positions(read(missed.events)),
        after.filter(({ storedBy }) => storedBy.size > 0).map(({ position }) => position),
      )
      for (const target of TARGETS) {
        const lost = after.some(({ targets, storedBy }) => targets.includes(target) && !storedBy.has(target))
        const named = missed.gaps.includes(target)
        if (lost) assert.ok(named, 'a loss that is not named')
        // A loss from before the target had a record may have been its own: the history cannot know.
        const first = model.storedBy(target)[0]?.position ?? Number.POSITIVE_INFINITY
        const isLost = ({ targets, storedBy }: Published) => storedBy.size < targets.length
        const doubtful = after.some((event) => isLost(event) && event.position < first)
        if (named) assert.ok(lost || doubtful, 'named although nothing was lost')
      }
    }
    for (const target of TARGETS) {
      const all = model.storedBy(target)
      const recent = history.recent(target, 99)
      assert.deepEqual(
        recent.map(({ frame }) => String(frame)),
        all.map(({ position, data }) => String(blockOf(target, position, data))),
      )
      assert.deepEqual(positions(history.recent(target, 2)), positions(recent).slice(-2))
      assert.deepEqual(history.recent(target, 0), [])
    }
  }

  it('does not name a complete target because others lost events', () => {
    const history = makeHistory({ bytes: 1_000_000, age: AGE })
    append(history, { uid: 'a' }, 1, 'kept')
    for (let position = 2; position < 20; position += 1) append(history, {}, position, 'tick')
    const { events, gaps } = history.since('0', TARGETS)
    assert.deepEqual(gaps, [{}])
    assert.deepEqual(positions(read(events)), [1, 16, 17, 18, 19])
  })

  it('goes by the newest loss of all for a target that has no record any more', () => {
    const history = makeHistory({ bytes: 1_000_000, age: AGE })
    append(history, { uid: 'a' }, 1, 'gone')
    clock.tick(AGE)
    append(history, { uid: 'b' }, 2, 'kept')
    const others = TARGETS
    assert.deepEqual(history.since('0', TARGETS).gaps, others)
    assert.deepEqual(history.since('1', TARGETS).gaps, [])
  })

  it('names all targets for a position of another order', () => {
    const history = makeHistory({ bytes: 1_000_000, age: AGE })
    append(history, { uid: 'a' }, 1, 'kept')
    const { events, gaps } = history.since('nonsense', TARGETS)
    assert.deepEqual([read(events), gaps], [[], TARGETS])
  })

  it('returns the published frame, small or large, on every call', () => {
    const history = makeHistory({ bytes: 1_000_000, age: AGE })
    for (const [index, size] of [3, 100_000].entries()) {
      const data = `é\n${'x'.repeat(size)}`
      append(history, { rid: 'a' }, index + 1, data)
      const [event] = history.recent({ rid: 'a' }, 1)
      const frame = blockOf({ rid: 'a' }, index + 1, data)
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

  it('stores an event of several targets once, and gives it with the label of the one that the reader reads', () => {
    const history = makeHistory()
    const rooms = [{ rid: 'a' }, { rid: 'b' }, { rid: 'c' }]
    for (const [at, size] of [10, 20_000].entries()) {
      const data = 'x'.repeat(size)
      const { bytes } = history.size
      append(history, rooms, at + 1, data)
      const alone = makeHistory()
      append(alone, { rid: 'a' }, 1, data)
      assert.ok(history.size.bytes - bytes <= alone.size.bytes + 1_000, 'its bytes count once')
      for (const room of rooms) {
        const [entry] = history.recent(room, 1)
        assert.deepEqual(entry?.frame, blockOf(room, at + 1, data))
        // Who reads it gets the same large block as any other.
        if (size > 10_000) assert.equal(entry?.frame, history.recent(room, 1)[0]?.frame)
      }
    }
    assert.equal(history.size.events, 2)
    const { events } = history.since('0', [{ rid: 'c' }, { rid: 'b' }])
    assert.deepEqual(
      read(events).map(({ target }) => target),
      [{ rid: 'b' }, { rid: 'b' }],
      'by the first of the targets that the reader reads, in the order of the publisher',
    )
  })

  it('evicts an event of several targets from each of them by itself', () => {
    const history = makeHistory()
    append(history, [{ rid: 'busy' }, { rid: 'quiet' }], 1, 'shared')
    for (let position = 2; position < 9; position += 1) append(history, { rid: 'busy' }, position, 'x')
    assert.deepEqual(positions(history.recent({ rid: 'busy' }, 99)), [5, 6, 7, 8])
    assert.deepEqual(positions(history.recent({ rid: 'quiet' }, 99)), [1])
    const { events, gaps } = history.since('0', [{ rid: 'busy' }, { rid: 'quiet' }])
    assert.deepEqual(gaps, [{ rid: 'busy' }])
    const [first] = read(events)
    assert.deepEqual([first?.position, first?.target], ['1', { rid: 'quiet' }])
  })

  it('stores as many events of a target as its own limits say, and as long', () => {
    const history = makeHistory({ age: AGE })
    for (let position = 1; position <= 9; position += 1) {
      append(history, [{ rid: 'run' }, { rid: 'lobby' }], position, 'x', { events: 7 })
    }
    assert.equal(history.recent({ rid: 'run' }, 99).length, 7)
    append(history, { rid: 'run' }, 10, 'x', { events: 2, age: 100 })
    assert.deepEqual(positions(history.recent({ rid: 'run' }, 99)), [9, 10])
    assert.equal(history.recent({ rid: 'lobby' }, 99).length, 7)
    clock.tick(99)
    assert.equal(history.recent({ rid: 'run' }, 99).length, 2)
    clock.tick(1)
    assert.deepEqual(history.recent({ rid: 'run' }, 99), [])
    assert.deepEqual(history.since('9', [{ rid: 'run' }, { rid: 'lobby' }]).gaps, [{ rid: 'run' }])
    assert.equal(history.recent({ rid: 'lobby' }, 99).length, 7)
  })

  it('names each target of an event that is too large, however many have no event', () => {
    const history = makeHistory({ bytes: 10_000 })
    append(history, { rid: 'a' }, 1, 'x')
    const targets = Array.from('abcdefghij', (rid) => ({ rid }))
    append(history, targets, 2, 'x'.repeat(20_000))
    assert.deepEqual(history.since('1', targets).gaps, targets)
  })

  it('names a target that may not store its events any more', () => {
    const history = makeHistory()
    append(history, { rid: 'a' }, 1, 'x', { events: 5 })
    append(history, { rid: 'a' }, 2, 'x', { events: 0 })
    assert.deepEqual(history.since('1', [{ rid: 'a' }]).gaps, [{ rid: 'a' }])
    append(history, { rid: 'a' }, 3, 'x', { events: 5 })
    assert.deepEqual(history.since('1', [{ rid: 'a' }]).gaps, [{ rid: 'a' }])
    assert.deepEqual(history.since('2', [{ rid: 'a' }]).gaps, [])
  })

  it('forgets a target of which nobody will ask, and calls nobody else incomplete', () => {
    const history = makeHistory()
    append(history, [{ sid: 'a' }, { rid: 'a' }], 1, 'x')
    append(history, { sid: 'a' }, 2, 'x')
    history.forget({ sid: 'a' })
    history.forget({ sid: 'b' })
    assert.deepEqual(history.recent({ sid: 'a' }, 99), [])
    assert.equal(history.size.targets, 1)
    assert.deepEqual(history.since('0', TARGETS).gaps, [])
    history.forget({ rid: 'a' })
    assert.deepEqual(history.size, { events: 0, targets: 0, bytes: 0 })
  })

  describe('last', () => {
    const reader = { uid: 'a', sid: 's' }
    const gapsOf = (history: History, limit: number) => history.last(TARGETS, limit, reader).gaps

    it('names the targets that lost one of the events for want of bytes, and no others', () => {
      const history = makeHistory({ bytes: 2_000, age: AGE })
      for (let position = 1; position <= 5; position += 1) append(history, {}, position, 'x'.repeat(500))
      const left = history.recent({}, 99).length
      assert.ok(left > 0 && left < 4)
      assert.deepEqual(gapsOf(history, left), [])
      assert.deepEqual(gapsOf(history, left + 1), [{}])
      clock.tick(AGE)
      assert.deepEqual(gapsOf(history, 99), [], 'it would be too old by now')
    })

    it('names none that lost events by their number or their age', () => {
      const history = makeHistory({ age: AGE })
      for (let position = 1; position <= 9; position += 1) append(history, { rid: 'a' }, position, 'x')
      assert.deepEqual(gapsOf(history, 99), [])
      clock.tick(AGE)
      assert.deepEqual(gapsOf(history, 99), [])
    })

    it('names one whose event was too large to be stored', () => {
      const history = makeHistory({ bytes: 20_000, age: AGE })
      append(history, { rid: 'a' }, 1, 'x'.repeat(30_000))
      assert.deepEqual(gapsOf(history, 1), [{ rid: 'a' }])
      assert.deepEqual(gapsOf(history, 0), [])
    })

    it('skips the events that pass over the reader', () => {
      const history = makeHistory()
      const details = { exclusion: new Exclusion({ uids: ['a', 'b'] }) }
      append(history, {}, 1, 'x', details)
      append(history, {}, 2, 'x', { exclusion: new Exclusion({ sids: ['s'] }) })
      append(history, {}, 3, 'x', { exclusion: new Exclusion({ sids: ['other'] }) })
      assert.deepEqual(positions(read(history.last([{}], 9, reader).events)), [3])
    })
  })
})
