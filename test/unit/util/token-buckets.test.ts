import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { TokenBuckets } from '../../../lib/util/token-buckets.ts'

describe('TokenBuckets', () => {
  let clock: FakeTimers.Clock

  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  })
  afterEach(() => clock.uninstall())

  it('have a burst, and then the rate, by key', () => {
    const buckets = new TokenBuckets(2, 3)
    assert.deepEqual(
      Array.from({ length: 4 }, () => buckets.take('a')),
      [true, true, true, false],
    )
    assert.equal(buckets.take('b', 3), true)
    clock.tick(500)
    assert.deepEqual([buckets.take('a'), buckets.take('a'), buckets.take('b', 2)], [true, false, false])
    clock.tick(60_000)
    assert.deepEqual([buckets.take('a', 4), buckets.take('a', 3)], [false, true])
  })

  it('take no memory when they are full again, and need no timer', () => {
    const buckets = new TokenBuckets(1, 2)
    for (let key = 0; key < 100; key += 1) buckets.take(String(key))
    assert.deepEqual([buckets.size, clock.countTimers()], [100, 0])
    clock.tick(1_999)
    buckets.take('0')
    assert.equal(buckets.size, 100)
    clock.tick(1)
    buckets.take('100')
    assert.equal(buckets.size, 2)
    assert.deepEqual([buckets.take('0', 2), buckets.take('0', 0)], [false, true])
  })

  it('forget no debt while they are not full', () => {
    const buckets = new TokenBuckets(1, 10)
    clock.tick(9_999)
    assert.equal(buckets.take('a', 10), true)
    clock.tick(5_000)
    assert.equal(buckets.take('b'), true)
    assert.deepEqual([buckets.take('a', 6), buckets.take('a', 5)], [false, true])
    clock.tick(9_000)
    assert.deepEqual([buckets.take('a', 10), buckets.take('a', 9)], [false, true])
  })
})
