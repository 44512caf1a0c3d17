import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { HistoryCursor } from '../../../lib/history/cursor.ts'
import { Exclusion } from '../../../lib/history/exclusion.ts'
import { HistoryEntry } from '../../../lib/history/history-entry.ts'
import { type Target, targetKey } from '../../../lib/protocol/target.ts'
import { append, blockOf, makeHistory } from '../../support/history-events.ts'
import { runs } from '../../support/tier.ts'

const TARGETS: readonly Target[] = [{ uid: 'a' }, { rid: 'a' }, { rid: 'b' }, { rid: 'c' }, {}]
const COUNT = 5

/** The events that are not for Bob. */
const NOT_BOB = new Exclusion({ uids: ['bob'] })
const BOB = { uid: 'bob', sid: 's' }

/** An event that was published. */
interface Published {
  readonly target: Target
  readonly place: number
  readonly isBobs: boolean
}

/** A history with its bound of events for each target only, beside a plain array of all events. */
class Model {
  readonly history = makeHistory()
  readonly published: Published[] = []

  publish(target: Target, isBobs: boolean): void {
    const place = this.published.length + 1
    this.published.push({ target, place, isBobs })
    const exclusion = isBobs ? NOT_BOB : undefined
    append(this.history, target, place, `${place}`, { events: COUNT, exclusion })
  }

  isStored(event: Published): boolean {
    return this.published
      .filter(({ target }) => target === event.target)
      .slice(-COUNT)
      .includes(event)
  }

  /** What a cursor should bring next, which is taken from what is due. */
  next(due: Published[]): string | undefined {
    const [first] = due
    if (first === undefined) return undefined
    if (this.isStored(first)) return String(due.shift()?.place)
    const lost = due.filter((event) => event.target === first.target && !this.isStored(event))
    for (const event of lost) due.splice(due.indexOf(event), 1)
    return `gap ${targetKey(first.target)}`
  }
}

function show(cursor: HistoryCursor): string | undefined {
  const item = cursor.take()
  if (item === undefined) return undefined
  if (!(item instanceof HistoryEntry)) {
    assert.equal(item.frame, undefined)
    return `gap ${targetKey(item.target)}`
  }
  assert.deepEqual(item.frame, blockOf(item.target, item.ordinal, `${item.ordinal}`))
  return item.position
}

describe('HistoryCursor', () => {
  const target = fc.nat(TARGETS.length - 1)
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant('publish' as const), target, isBobs: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('take' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('drop' as const), target }) },
  )
  const before = fc.array(fc.record({ target, isBobs: fc.boolean() }), { maxLength: 40 })
  const steps = fc.array(step, { maxLength: 60 })

  /** Reads a cursor while events are published, and compares it with what is due. */
  function check(
    model: Model,
    cursor: HistoryCursor,
    due: Published[],
    all: readonly { op: string }[],
  ): void {
    for (const taken of all as readonly { op: string; target: number; isBobs: boolean }[]) {
      const named = TARGETS[taken.target] as Target
      if (taken.op === 'publish') model.publish(named, taken.isBobs)
      else if (taken.op === 'take') assert.equal(show(cursor), model.next(due))
      else {
        cursor.drop(named)
        for (const event of due.filter((each) => each.target === named)) due.splice(due.indexOf(event), 1)
      }
      assert.equal(cursor.next, due[0]?.place)
    }
    while (due.length > 0) assert.equal(show(cursor), model.next(due))
    assert.equal(show(cursor), undefined)
  }

  it('brings what was published after a position, and a gap in place of what was evicted meanwhile', () => {
    fc.assert(
      fc.property(before, fc.nat(40), steps, (events, from, all) => {
        const model = new Model()
        for (const { target, isBobs } of events) model.publish(TARGETS[target] as Target, isBobs)
        const position = Math.min(from, events.length)
        const { events: cursor } = model.history.since(String(position), TARGETS, BOB)
        const due = model.published.filter(
          (event) => event.place > position && !event.isBobs && model.isStored(event),
        )
        check(model, cursor, due, all)
      }),
      runs(200),
    )
  })

  it('brings the last events of each target up to a position, likewise', () => {
    fc.assert(
      fc.property(before, fc.nat(4), fc.nat(40), steps, (events, limit, upTo, all) => {
        const model = new Model()
        for (const { target, isBobs } of events) model.publish(TARGETS[target] as Target, isBobs)
        const { events: cursor } = model.history.last(TARGETS, limit, BOB, String(upTo))
        const due = TARGETS.flatMap((each) => {
          const own = model.published.filter((event) => event.target === each && model.isStored(event))
          const past = own.filter(({ place }) => place <= upTo)
          return limit === 0 ? [] : past.filter(({ isBobs }) => !isBobs).slice(-limit)
        }).sort((a, b) => a.place - b.place)
        check(model, cursor, due, all)
      }),
      runs(200),
    )
  })

  it('looks at one event of each target before it is read, and at one more for each that is taken', () => {
    const history = makeHistory()
    let looks = 0
    class Counted extends Exclusion {
      override covers(): boolean {
        looks += 1
        return false
      }
    }
    const exclusion = new Counted({ uids: ['bob'] })
    for (let place = 1; place <= 3_000; place += 1) {
      append(history, { rid: `${place % 3}` }, place, String(place), { exclusion })
    }
    const { events } = history.since('0', [{ rid: '0' }, { rid: '1' }, { rid: '2' }], BOB)
    assert.equal(looks, 3)
    for (let place = 1; place <= 100; place += 1) assert.equal(show(events), String(place))
    assert.equal(looks, 103)
  })

  it('brings an event of several targets once, at its place, as long as one of them has it', () => {
    const history = makeHistory()
    const [a, b, c] = [{ rid: 'a' }, { rid: 'b' }, { rid: 'c' }]
    append(history, [c, a, b], 1, '1', { events: 2 })
    append(history, b, 2, '2', { events: 2 })
    append(history, [b, a], 3, '3', { events: 2 })
    const cursor = history.since('0', [a, b]).events
    assert.equal(cursor.next, 1)
    // From here on only the room c has the first event, which the reader does not read.
    append(history, [a, b], 4, '4', { events: 2 })
    const taken = Array.from({ length: 5 }, () => show(cursor))
    assert.deepEqual(taken, ['gap ra', 'gap rb', '3', undefined, undefined])
    const again = history.since('0', [a, b]).events
    assert.deepEqual([show(again), show(again), show(again)], ['3', '4', undefined])
  })

  it('brings a gap behind an event of several targets, for one that lost it and later ones', () => {
    const history = makeHistory()
    const [a, b] = [{ rid: 'a' }, { rid: 'b' }]
    append(history, [a, b], 1, '1')
    append(history, b, 2, '2')
    append(history, b, 3, '3')
    const cursors = [
      [a, b],
      [b, a],
      [b, a],
    ].map((targets) => history.since('0', targets).events)
    append(history, b, 4, '4', { events: 2 })
    for (const cursor of cursors.slice(0, 2)) {
      assert.deepEqual([show(cursor), cursor.next, show(cursor), show(cursor)], ['1', 1, 'gap rb', '3'])
      assert.equal(show(cursor), undefined)
    }
    const [, , cursor] = cursors
    assert.deepEqual(
      [show(cursor as HistoryCursor), cursor?.drop(b), cursor?.next],
      ['1', undefined, undefined],
    )
  })

  it('brings no gap for one that lost no more than an event that another target has', () => {
    const history = makeHistory()
    const [a, b] = [{ rid: 'a' }, { rid: 'b' }]
    append(history, [b, a], 1, '1')
    append(history, b, 2, '2')
    const { events } = history.since('0', [b, a])
    append(history, b, 3, '3', { events: 2 })
    assert.deepEqual([show(events), show(events), show(events)], ['1', '2', undefined])
  })

  it('tells the bytes that are still to be read', () => {
    const model = new Model()
    for (const isBobs of [false, true, false, false]) model.publish({ rid: 'a' }, isBobs)
    const { events: cursor } = model.history.last([{ rid: 'a' }], 2, BOB)
    const size = blockOf({ rid: 'a' }, 1, '1').length
    assert.equal(cursor.bytes, 2 * size)
    cursor.take()
    assert.equal(cursor.bytes, size)
  })
})
