import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createClock, now, type TimeSource } from '../../../lib/util/clock.ts'
import { runs } from '../../support/tier.ts'

const NS_PER_MS = 1_000_000n

/** The most that a clock may differ from a wall clock that was not set back: its tolerance, and a step of the wall clock. */
const CLOSE_NS = 6n * NS_PER_MS

/** A computer whose time passes, and whose wall clock is stepped, only when a test calls for it. */
class Computer implements TimeSource {
  #up = 123_456_789n
  /** The time of a wall clock with nanoseconds. */
  #time = 1_700_000_000_000n * NS_PER_MS

  wall(): number {
    return Number(this.#time / NS_PER_MS)
  }

  monotonic(): bigint {
    return this.#up
  }

  get time(): bigint {
    return this.#time
  }

  pass(ns: bigint): void {
    this.#up += ns
    this.#time += ns
  }

  /** Sets the wall clock, as NTP does. No time passes. */
  step(ns: bigint): void {
    this.#time += ns
  }
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a
}

const SECOND = 1_000n * NS_PER_MS
const HOUR = 3_600n * SECOND

const passing = fc.oneof(fc.bigInt(0n, 3n * NS_PER_MS), fc.bigInt(0n, HOUR))
const anyStep = fc.oneof(
  fc.constant(0n),
  fc.bigInt(-10n * NS_PER_MS, 10n * NS_PER_MS),
  fc.bigInt(-HOUR, HOUR),
)
const forwardStep = anyStep.map((step) => (step < 0n ? -step : step))

describe('createClock', () => {
  it('never decreases, however time passes and the wall clock is stepped', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(passing, anyStep)), (steps) => {
        const computer = new Computer()
        const clock = createClock(computer)
        let last = clock.now()
        for (const [ns, step] of steps) {
          computer.pass(ns)
          computer.step(step)
          const time = clock.now()
          assert.ok(time >= last, `${time} came after ${last}`)
          last = time
        }
      }),
      runs(1_000),
    )
  })

  it('stays within a few milliseconds of a wall clock that is not set back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(passing, forwardStep)), (steps) => {
        const computer = new Computer()
        const clock = createClock(computer)
        for (const [ns, step] of steps) {
          computer.pass(ns)
          computer.step(step)
          const off = distance(clock.now(), computer.time)
          assert.ok(off <= CLOSE_NS, `${off} ns off`)
        }
      }),
      runs(1_000),
    )
  })

  // NTP corrects small errors by a wall clock that runs slower or faster by up to 500 millionths.
  it('stays within a few milliseconds of a wall clock that runs too fast or too slow for hours', () => {
    for (const slew of [-500n, 500n]) {
      const computer = new Computer()
      const clock = createClock(computer)
      let last = clock.now()
      for (let second = 0; second < 10_000; second += 1) {
        computer.pass(SECOND)
        computer.step((SECOND * slew) / 1_000_000n)
        const time = clock.now()
        assert.ok(time > last)
        assert.ok(distance(time, computer.time) <= CLOSE_NS)
        last = time
      }
    }
  })

  it('follows a forward step at once', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    clock.now()
    computer.step(HOUR)
    assert.ok(distance(clock.now(), computer.time) <= NS_PER_MS)
    // It continues from there.
    computer.pass(SECOND)
    assert.ok(distance(clock.now(), computer.time) <= NS_PER_MS)
  })

  it('stands still after a backward step until the wall clock has caught up', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    computer.pass(SECOND)
    const before = clock.now()
    computer.step(-60n * SECOND)
    for (let second = 0; second < 59; second += 1) {
      assert.equal(clock.now(), before)
      computer.pass(SECOND)
    }
    assert.equal(clock.now(), before)
    computer.pass(2n * SECOND)
    assert.ok(clock.now() > before)
    assert.ok(distance(clock.now(), computer.time) <= CLOSE_NS)
  })

  it('does not move while no time passes', () => {
    const clock = createClock(new Computer())
    assert.equal(clock.now(), clock.now())
  })

  it('distinguishes moments that are less than a millisecond apart', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    const times = Array.from({ length: 2_000 }, () => {
      computer.pass(1_000n)
      return clock.now()
    })
    for (const [index, time] of times.entries()) {
      const previous = times[index - 1]
      if (previous !== undefined) assert.equal(time - previous, 1_000n)
    }
  })

  it('is exact to the nanosecond between two moments, even after a forward step', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    computer.step(HOUR)
    const first = clock.now()
    computer.pass(1n)
    assert.equal(clock.now() - first, 1n)
  })

  it('is never earlier than a time that it was told, and goes on when its own time has caught up', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    const told = computer.time + SECOND
    clock.observe(told)
    clock.observe(told - HOUR)
    assert.equal(clock.now(), told)
    computer.pass(SECOND / 2n)
    assert.equal(clock.now(), told)
    computer.pass(SECOND)
    assert.ok(clock.now() > told)
    assert.ok(distance(clock.now(), computer.time) <= CLOSE_NS)
  })

  it('follows a shift as it follows a step of the wall clock', () => {
    const computer = new Computer()
    const clock = createClock(computer)
    const before = clock.now()
    clock.shift(HOUR)
    assert.ok(distance(clock.now(), computer.time + HOUR) <= CLOSE_NS)
    clock.shift(-2n * HOUR)
    assert.ok(clock.now() > before)
    computer.pass(3n * HOUR)
    assert.ok(distance(clock.now(), computer.time - HOUR) <= CLOSE_NS)
  })

  it('accepts a wall clock with fractions of a millisecond', () => {
    const clock = createClock({ wall: () => 1_700_000_000_000.75, monotonic: () => 5n })
    assert.equal(clock.now(), 1_700_000_000_000n * NS_PER_MS)
  })
})

describe('now', () => {
  it('returns nanoseconds since 1970 and never decreases', () => {
    const before = BigInt(Date.now()) * NS_PER_MS
    const times = Array.from({ length: 10_000 }, now)
    const after = BigInt(Date.now()) * NS_PER_MS
    for (const [index, time] of times.entries()) assert.ok(time >= (times[index - 1] ?? 0n))
    assert.ok((times[0] ?? 0n) >= before - CLOSE_NS)
    assert.ok((times.at(-1) ?? 0n) <= after + CLOSE_NS)
  })

  it('has a resolution below a millisecond', () => {
    // A busy machine may pause between two readings: any two that are close to each other are enough.
    let last = now()
    for (let readings = 0; readings < 1_000_000; readings += 1) {
      const time = now()
      if (time !== last && time - last < NS_PER_MS) return
      last = time
    }
    assert.fail('no two readings differ by less than a millisecond')
  })
})
