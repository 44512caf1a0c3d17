import assert from 'node:assert/strict'
// @ts-expect-error: bench is JavaScript, and has a tsconfig of its own.
import { compare, medianOf, signInterval } from '../../bench/statistics.js'

/** The numbers from 1 to n, not sorted. */
function numbersTo(n: number): number[] {
  const numbers = Array.from({ length: n }, (_, index) => index + 1)
  return [...numbers.filter((number) => number % 2 === 0), ...numbers.filter((number) => number % 2 === 1)]
}

/** Eleven ratios with the given median, from `median - spread` to `median + spread`. */
function ratiosAround(median: number, spread: number): number[] {
  return Array.from({ length: 11 }, (_, index) => median + ((index - 5) / 5) * spread)
}

describe('bench statistics', () => {
  describe('medianOf', () => {
    it('is the value in the middle, or halfway between two', () => {
      assert.equal(medianOf([3, 1, 2]), 2)
      assert.equal(medianOf([4, 1, 3, 2]), 2.5)
      assert.equal(medianOf([10, 9, 100]), 10)
    })

    it('leaves the values as they are', () => {
      const values = Object.freeze([2, 1])
      assert.equal(medianOf(values), 1.5)
    })
  })

  describe('signInterval', () => {
    // From the k-th smallest to the k-th largest of n values. One more on either side would cover less than 95 %.
    const TABLE: [n: number, k: number, coverage: number][] = [
      [6, 1, 0.96875],
      [8, 1, 0.9921875],
      [9, 2, 0.9609375],
      [11, 2, 0.98828125],
      [12, 3, 0.961425781],
      [15, 4, 0.96484375],
      [20, 6, 0.958610535],
      [25, 8, 0.956714749],
      [100, 40, 0.9647998],
    ]
    for (const [n, k, coverage] of TABLE) {
      it(`of ${n} values goes from number ${k} to number ${n + 1 - k}`, () => {
        const interval = signInterval(numbersTo(n))
        assert.deepEqual([interval.low, interval.high], [k, n + 1 - k])
        assert.ok(Math.abs(interval.coverage - coverage) < 1e-8, `covers ${interval.coverage}`)
      })
    }

    it('does not exist for fewer than 6 values', () => {
      for (let n = 0; n < 6; n += 1) assert.equal(signInterval(numbersTo(n)), undefined)
    })

    it('contains the median as often as it says', () => {
      const rounds = 4_000
      let hits = 0
      for (let round = 0; round < rounds; round += 1) {
        const { low, high } = signInterval(Array.from({ length: 11 }, () => Math.random() ** 3))
        if (low <= 0.125 && 0.125 <= high) hits += 1
      }
      // 98.83 %, with a standard deviation of 0.17 points.
      assert.ok(Math.abs(hits / rounds - 0.9883) < 0.01, `${hits} of ${rounds}`)
    })
  })

  describe('compare', () => {
    it('accepts a median of at least 0.97', () => {
      assert.equal(compare(ratiosAround(0.97, 0.01)).isAsFast, true)
      assert.equal(compare(ratiosAround(1.3, 0.01)).isAsFast, true)
    })

    it('accepts a lower median when the interval reaches 1', () => {
      const { median, interval, isAsFast } = compare(ratiosAround(0.9, 0.2))
      assert.ok(median < 0.97)
      assert.ok(interval.high >= 1)
      assert.equal(isAsFast, true)
    })

    it('rejects a lower median when the interval stays below 1', () => {
      assert.equal(compare(ratiosAround(0.96, 0.03)).isAsFast, false)
      assert.equal(compare(ratiosAround(0.5, 0.1)).isAsFast, false)
    })

    it('rejects too few ratios, however good', () => {
      assert.equal(compare([2, 2, 2, 2, 2]).isAsFast, false)
      assert.deepEqual(compare([]), { median: Number.NaN, interval: undefined, isAsFast: false })
    })
  })
})
