import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { type Timed, TimerWheel } from '../../../lib/util/timer-wheel.ts'

interface Item extends Timed {
  readonly number: number
}

const itemOf = (number: number): Item => ({ number, slot: undefined })

/** How late an item may be woken: its time is rounded up to a tick, and the timer stands between two ticks. */
const LATEST_MS = 200

describe('TimerWheel', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => clock.uninstall())

  it('wakes each item once at its time, never early, after any sequence of set, move and delete', () => {
    const step = fc.record({
      op: fc.constantFrom('set', 'delete', 'pass'),
      item: fc.nat(5),
      ms: fc.nat(1_500),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const due = new Map<Item, number>()
        const items = Array.from({ length: 6 }, (_, number) => itemOf(number))
        const timerWheel = new TimerWheel<Item>((item, now) => {
          const time = due.get(item)
          assert.ok(time !== undefined, 'what is not scheduled is not woken')
          assert.ok(now >= time && now <= time + LATEST_MS, `${now} for ${time}`)
          due.delete(item)
          return Number.POSITIVE_INFINITY
        })
        for (const { op, item: number, ms } of steps) {
          const item = items[number] as Item
          if (op === 'set') {
            due.set(item, performance.now() + ms)
            timerWheel.set(item, performance.now() + ms)
          } else if (op === 'delete') {
            due.delete(item)
            timerWheel.delete(item)
          } else {
            clock.tick(ms)
            for (const time of due.values()) assert.ok(time + LATEST_MS > performance.now(), 'missed')
          }
        }
        clock.tick(1_500 + LATEST_MS)
        assert.deepEqual([due.size, clock.countTimers()], [0, 0])
      }),
    )
  })

  it('wakes an item again at the time that its wake-up returned', () => {
    const woken: number[] = []
    const timerWheel = new TimerWheel<Item>((_, now) => {
      woken.push(now)
      return woken.length < 3 ? now + 1_000 : Number.POSITIVE_INFINITY
    })
    timerWheel.set(itemOf(1), performance.now() + 1_000)
    clock.tick(10_000)
    assert.equal(woken.length, 3)
  })

  it('does not schedule an item that was deleted during its wake-up', () => {
    let woken = 0
    const timerWheel: TimerWheel<Item> = new TimerWheel((item, now) => {
      woken += 1
      timerWheel.delete(item)
      return now + 100
    })
    timerWheel.set(itemOf(1), performance.now())
    clock.tick(1_000)
    assert.equal(woken, 1)
  })

  it('wakes all overdue items at once after the process stood still', () => {
    const woken: number[] = []
    const timerWheel = new TimerWheel<Item>(({ number }) => {
      woken.push(number)
      return Number.POSITIVE_INFINITY
    })
    for (const number of [3, 1, 2]) timerWheel.set(itemOf(number), performance.now() + number * 1_000)
    // The clock jumps: no timer fires in between.
    clock.jump(60_000)
    assert.deepEqual(woken, [1, 2, 3])
  })

  it('follows a clock that is set, forwards by any span and backwards', () => {
    let wall = 1_000_000_000_000
    let woken: number[] = []
    const timerWheel = new TimerWheel<Item>(
      ({ number }) => {
        woken.push(number)
        return Number.POSITIVE_INFINITY
      },
      () => wall,
    )
    const pass = (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        wall += 100
        clock.tick(100)
      }
      const all = woken
      woken = []
      return all
    }
    const start = wall
    timerWheel.set(itemOf(1), start + 10_000)
    timerWheel.set(itemOf(2), start + 20_000)
    timerWheel.set(itemOf(3), start + 1e12)
    assert.deepEqual(pass(5_000), [])
    wall -= 3_600_000
    timerWheel.set(itemOf(4), wall + 2_000)
    assert.deepEqual(pass(1_800), [])
    assert.deepEqual(pass(400), [4])
    wall = start + 15_000
    timerWheel.set(itemOf(5), wall + 1_000)
    assert.deepEqual(pass(1_200), [1, 5])
    assert.deepEqual(pass(3_600), [])
    assert.deepEqual(pass(400), [2])
    wall = start + 1e12
    assert.deepEqual(pass(1_200), [3])
    assert.equal(clock.countTimers(), 0)
  })

  it('tells whether the process stood still after a time', () => {
    const timerWheel = new TimerWheel<Item>((_, now) => now + 1_000)
    timerWheel.set(itemOf(1), performance.now() + 1_000)
    clock.tick(10_000)
    const before = performance.now()
    assert.equal(timerWheel.stoodStillSince(0), false)
    clock.jump(5_000)
    assert.equal(timerWheel.stoodStillSince(before), true)
    assert.equal(timerWheel.stoodStillSince(performance.now()), false)
    clock.tick(10_000)
    assert.equal(timerWheel.stoodStillSince(before), true)
    assert.equal(timerWheel.stoodStillSince(before + 5_000), false)
  })

  it('runs one timer for all items, and none while nothing is scheduled', () => {
    const timerWheel = new TimerWheel<Item>(() => Number.POSITIVE_INFINITY)
    assert.equal(clock.countTimers(), 0)
    for (let number = 0; number < 100; number += 1) {
      timerWheel.set(itemOf(number), performance.now() + number * 10)
    }
    assert.equal(clock.countTimers(), 1)
    timerWheel.set(itemOf(100), Number.POSITIVE_INFINITY)
    clock.tick(2_000)
    assert.equal(clock.countTimers(), 0)
    const item = itemOf(1)
    timerWheel.set(item, performance.now() + 500)
    timerWheel.delete(item)
    assert.equal(clock.countTimers(), 0)
  })
})
