import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { History } from '../../../lib/history/history.ts'
import type { HistoryEntry } from '../../../lib/history/history-entry.ts'
import type { Target } from '../../../lib/protocol/target.ts'
import { append as appendEvent, makeHistory } from '../../support/history-events.ts'
import { countSteps } from '../../support/steps.ts'
import { runs } from '../../support/tier.ts'

const AGE = 300_000
const COUNT = 1_000

/** A history, with the number of bytes that each of its events and targets takes. */
class Measured {
  readonly history: History
  readonly bound: number
  /** The positions of all events of each target, with their cost. The first ones may be evicted. */
  readonly events = new Map<Target, { readonly position: number; readonly cost: number }[]>()
  published = 0

  constructor(bytes: number) {
    this.bound = bytes
    this.history = makeHistory({ bytes, age: AGE })
  }

  publish(target: Target, size: number): void {
    this.published += 1
    const events = this.events.get(target) ?? []
    this.events.set(target, events)
    events.push({ position: this.published, cost: costOf(size, this.published) })
    append(this.history, target, size, this.published)
  }

  /** The positions that are stored of a target. */
  stored(target: Target): number[] {
    return this.history.recent(target, COUNT).map(({ position }) => Number(position))
  }

  /** The bytes that a target takes with its events after a position. */
  bytesOf(target: Target, after: number): number {
    let bytes = TARGET_COST
    for (const { position, cost } of this.events.get(target) ?? []) if (position > after) bytes += cost
    return bytes
  }
}

function append(history: History, target: Target, size: number, position: number): unknown {
  return appendEvent(history, target, position, 'x'.repeat(size), { events: COUNT, age: AGE })
}

/** Measures by two events of a target with an id of one letter. */
function measure(size: number, position: number): { readonly target: number; readonly event: number } {
  const history = makeHistory({ age: AGE })
  append(history, { rid: 'a' }, size, position)
  const { bytes: first } = history.size
  append(history, { rid: 'a' }, size, position)
  const event = history.size.bytes - first
  return { target: first - event, event }
}

const TARGET_COST = measure(0, 1).target
const costOf = (size: number, position: number) => measure(size, position).event

const room = (index: number): Target => ({ rid: String.fromCharCode(97 + index) })

describe('History with more events than it has room for', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  })
  afterEach(() => clock.uninstall())

  it('takes events from targets only that use more than half of what the largest one uses', () => {
    const rooms = Array.from({ length: 6 }, (_, index) => room(index))
    const step = fc.record({ at: fc.nat(5), size: fc.oneof(fc.nat(100), fc.nat(4_000)) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const all = new Measured(16_384)
        const { history } = all
        for (const { at, size } of steps) {
          const before = new Map(rooms.map((each) => [each, all.stored(each)]))
          all.publish(rooms[at] as Target, size)
          const stored = new Map(rooms.map((each) => [each, all.stored(each)]))
          assert.ok(history.size.bytes <= all.bound)
          const left = rooms.filter((each) => stored.get(each)?.length)
          assert.equal(history.size.targets, left.length)
          const positions = Array.from(stored.values()).flat()
          assert.equal(history.size.events, positions.length)
          const most = Math.max(...left.map((each) => all.bytesOf(each, (stored.get(each)?.[0] ?? 0) - 1)))
          for (const each of rooms) {
            const had = [...(before.get(each) ?? []), ...(each === rooms[at] ? [all.published] : [])]
            const has = stored.get(each) ?? []
            assert.deepEqual(has, had.slice(had.length - has.length), 'the oldest go first')
            const lost = had.slice(0, had.length - has.length).at(-1)
            if (lost === undefined) continue
            const used = all.bytesOf(each, lost - 1)
            assert.ok(
              used * 2 > most,
              `${JSON.stringify(each)} used ${used} and lost some, another uses ${most}`,
            )
            assert.deepEqual(history.since(String(lost - 1), [each]).gaps, [each], 'a loss that is not named')
          }
          for (const each of left) {
            const [first = 0] = stored.get(each) ?? []
            assert.deepEqual(history.since(String(first), [each]).gaps, [], 'named although complete')
          }
        }
        clock.tick(AGE)
        assert.deepEqual(history.size, { events: 0, targets: 0, bytes: 0 })
        assert.equal(clock.countTimers(), 0)
      }),
      runs(200),
    )
  })

  it('keeps what quiet targets have for as long as historyAge says, however busy a room is', () => {
    const { history } = new Measured(1_048_576)
    for (let user = 0; user < 100; user += 1) append(history, { uid: `user-${user}` }, 200, user + 1)
    for (let position = 101; position < 20_000; position += 1)
      append(history, { rid: 'busy' }, 5_000, position)
    clock.tick(AGE - 1)
    for (let user = 0; user < 100; user += 1)
      assert.equal(history.recent({ uid: `user-${user}` }, 9).length, 1)
    const { events, gaps } = history.since('0', [{ uid: 'user-1' }, { rid: 'busy' }])
    assert.deepEqual([(events.take() as HistoryEntry).position, gaps], ['2', [{ rid: 'busy' }]])
  })

  it('keeps the events of a room while one client makes crowds of others busy', () => {
    for (const size of [20, 1_000]) {
      const { history } = new Measured(1_048_576)
      for (let position = 1; position <= 10; position += 1) append(history, { rid: 'quiet' }, 100, position)
      for (let index = 11; index < 20_000; index += 1)
        append(history, { rid: `made-up-${index}` }, size, index)
      assert.equal(history.recent({ rid: 'quiet' }, 99).length, 10, `${size}`)
      assert.ok(history.size.bytes > 900_000)
    }
  })

  it('leaves a single target all of the room', () => {
    const { history } = new Measured(1_048_576)
    for (let index = 1; index < 1_000; index += 1) append(history, {}, 5_000, index)
    assert.ok(history.size.bytes > 1_000_000)
    assert.equal(history.recent({}, 1)[0]?.position, '999')
  })

  it('shares the room among busy targets, within a factor of two', () => {
    const { history } = new Measured(1_048_576)
    for (let index = 1; index < 8_000; index += 1) {
      append(history, { rid: `${index % 4}` }, index % 4 === 0 ? 4_000 : 500, index)
    }
    const bytes = (rid: string) =>
      history.recent({ rid }, COUNT).reduce((sum, { frame }) => sum + (frame?.length ?? 0) + 150, 0)
    const shares = ['0', '1', '2', '3'].map(bytes)
    assert.ok(Math.max(...shares) <= 2 * Math.min(...shares) + 10_000, `${shares}`)
  })

  it('does not store an event that only quiet targets could make room for, and says so', () => {
    const { history } = new Measured(100_000)
    for (let user = 1; user <= 60; user += 1) append(history, { uid: `${user}` }, 200, user)
    assert.equal(append(history, { rid: 'files' }, 70_000, 61), undefined)
    assert.equal(history.size.events, 60)
    assert.deepEqual(history.since('60', [{ rid: 'files' }]).gaps, [{ rid: 'files' }])
  })

  it('names no target that lost nothing when an event found no room', () => {
    const { history } = new Measured(100_000)
    for (let user = 1; user <= 60; user += 1) append(history, { uid: `${user}` }, 200, user)
    // One is larger than the whole room, one than what is left of it.
    append(history, { rid: 'files' }, 70_000, 61)
    append(history, { rid: 'films' }, 300_000, 62)
    const others = [{ uid: 'new' }, { rid: 'den' }, {}, { uid: '7' }]
    const { events, gaps } = history.since('60', others)
    assert.deepEqual([events.next, gaps], [undefined, []])
    clock.tick(AGE)
    assert.deepEqual(history.size, { events: 0, targets: 0, bytes: 0 })
  })

  it('stores nothing, within its bound, when the bound is smaller than an event', () => {
    for (const bytes of [0, 1, 500, 1_000]) {
      const { history } = new Measured(bytes)
      for (let index = 1; index < 100; index += 1) {
        append(history, { rid: `${index % 7}` }, 1_000, index)
        assert.ok(history.size.bytes <= bytes)
      }
      assert.equal(history.size.events, 0)
      assert.deepEqual(history.since('98', [{ rid: '1' }]).gaps, [{ rid: '1' }])
    }
  })

  it('takes as many steps with few targets as with many', async () => {
    const stepsOf = async (targets: number) => {
      const { history } = new Measured(targets * 2_000)
      let position = 0
      const publish = (rid: string, size: number) => {
        position += 1
        append(history, { rid }, size, position)
      }
      while (position < 5 * targets) publish(`${position % targets}`, 200)
      const steps = await countSteps(() => {
        for (let index = 0; index < 1_000; index += 1) publish(`${index % targets}`, 200)
        for (let index = 0; index < 1_000; index += 1) publish(`new-${index}`, 200)
        for (let index = 0; index < 1_000; index += 1) publish('busy', 1_000)
      })
      history.close()
      return steps
    }
    const [few, many] = [await stepsOf(500), await stepsOf(4_000)]
    assert.ok(many <= 2 * few, `${few} and ${many}`)
  })
})
