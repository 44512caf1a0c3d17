import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { UplinkState, UplinkStates } from '../../../lib/session/uplink-states.ts'

describe('UplinkState', () => {
  it('refuses packets when too many wait, and accepts them again when one is done', async () => {
    const state = new UplinkState('sid', 1)
    let done: () => void = () => {}
    const first = state.enqueue(() => new Promise<void>((resolve) => (done = resolve)), 2)
    const second = state.enqueue(async () => 'second', 2)
    await assert.rejects(
      state.enqueue(async () => 'third', 2),
      { code: 'TOO_MANY_PACKETS', status: 429 },
    )
    done()
    await first
    assert.equal(await second, 'second')
    assert.equal(await state.enqueue(async () => 'fourth', 2), 'fourth')
  })
})

describe('UplinkStates.release', () => {
  it('keeps a state for the grace, and once more when the process stood still meanwhile', () => {
    const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const states = new UplinkStates(20)
      const isRemembered = (state: UplinkState) => states.of(state.sid) === state
      const state = states.of('sid')
      states.release('sid', 5_000)
      clock.tick(4_900)
      clock.jump(60_000)
      assert.ok(isRemembered(state), 'a takeover may wait to be read')
      clock.tick(4_900)
      assert.ok(isRemembered(state))
      clock.tick(400)
      assert.ok(!isRemembered(state))
      const other = states.of('other')
      states.release('other', 5_000)
      clock.tick(5_200)
      assert.ok(!isRemembered(other))
    } finally {
      clock.uninstall()
    }
  })
})

describe('UplinkStates.close', () => {
  it('leaves no timer behind for a state that waits for a takeover', () => {
    const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const states = new UplinkStates(20)
      states.of('sid')
      states.release('sid', 5_000)
      assert.equal(clock.countTimers(), 1)
      states.close()
      assert.equal(clock.countTimers(), 0)
    } finally {
      clock.uninstall()
    }
  })
})
