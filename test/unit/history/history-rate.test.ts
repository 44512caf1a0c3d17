import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { HistoryRate } from '../../../lib/history/history-rate.ts'

describe('HistoryRate', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance'] })
  })
  afterEach(() => clock.uninstall())

  it('gives each user 16 times the rate at once, and then the rate', () => {
    const rate = new HistoryRate(1_000)
    assert.equal(rate.take('alice', 16_001), false)
    assert.equal(rate.take('alice', 16_000), true)
    assert.equal(rate.take('alice', 1), false)
    assert.equal(rate.take('alice', 0), true)
    assert.equal(rate.take('bob', 16_000), true)
    clock.tick(2_000)
    assert.equal(rate.take('alice', 2_001), false)
    assert.equal(rate.take('alice', 2_000), true)
    clock.tick(3_600_000)
    assert.equal(rate.take('alice', 16_001), false)
    assert.equal(rate.take('alice', 16_000), true)
  })

  it('holds nothing for users whose allowance is full again', () => {
    const rate = new HistoryRate(1_000)
    for (let index = 0; index < 10_000; index += 1) {
      rate.take(`user-${index}`, 1_000)
      clock.tick(16)
      assert.ok(rate.size <= 1_000)
    }
    clock.tick(16_000)
    rate.take('user-0', 1)
    assert.equal(rate.size, 1)
  })
})
