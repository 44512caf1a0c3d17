import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { patientTimeout } from '../../../lib/util/patient-timeout.ts'

describe('patientTimeout', () => {
  let clock: FakeTimers.Clock
  let calls = 0
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    calls = 0
  })
  afterEach(() => clock.uninstall())

  const call = (by: number) => {
    calls += by
  }

  it('calls once after its time, as setTimeout does', () => {
    patientTimeout(call, 1_000, 1)
    clock.tick(999)
    assert.equal(calls, 0)
    clock.tick(1)
    assert.equal(calls, 1)
    clock.tick(10_000)
    assert.deepEqual([calls, clock.countTimers()], [1, 0])
  })

  it('waits once more when the process stood still, and only once', () => {
    patientTimeout(call, 1_000, 1)
    clock.jump(60_000)
    assert.equal(calls, 0)
    clock.tick(999)
    assert.equal(calls, 0)
    clock.jump(60_000)
    assert.equal(calls, 1)
  })

  it('is cleared by clearTimeout, also while it waits once more', () => {
    const timer = patientTimeout(call, 1_000, 1)
    clock.jump(60_000)
    clearTimeout(timer)
    clock.tick(10_000)
    assert.deepEqual([calls, clock.countTimers()], [0, 0])
  })
})
