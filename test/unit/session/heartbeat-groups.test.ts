import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { HeartbeatGroups } from '../../../lib/session/heartbeat-groups.ts'

const INTERVAL_MS = 1_000

const noEvents = () => false

describe('HeartbeatGroups', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: [
        'setTimeout',
        'clearTimeout',
        'setInterval',
        'clearInterval',
        'setImmediate',
        'clearImmediate',
        'performance',
      ],
    })
  })
  afterEach(() => clock.uninstall())

  it('beats each item once in every interval, from its first beat until it is deleted', () => {
    const step = fc.record({
      op: fc.constantFrom('add', 'delete', 'pass'),
      item: fc.nat(5),
      ms: fc.nat(3 * INTERVAL_MS),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const latest = new Map<number, { time: number; isFirst: boolean }>()
        const pulse = new HeartbeatGroups<number>(
          INTERVAL_MS,
          (item) => {
            const { time, isFirst } = latest.get(item) ?? assert.fail('what is deleted does not beat')
            const pause = performance.now() - time
            assert.ok(isFirst ? pause <= INTERVAL_MS : pause === INTERVAL_MS, `${pause}`)
            latest.set(item, { time: performance.now(), isFirst: false })
          },
          noEvents,
        )
        for (const { op, item, ms } of steps) {
          if (op === 'add' && !latest.has(item)) {
            latest.set(item, { time: performance.now(), isFirst: true })
            pulse.add(item)
          } else if (op === 'delete') {
            latest.delete(item)
            pulse.delete(item)
          } else {
            clock.tick(ms)
            for (const { time } of latest.values())
              assert.ok(performance.now() - time <= INTERVAL_MS, 'missed')
          }
        }
        for (const item of latest.keys()) pulse.delete(item)
        assert.equal(clock.countTimers(), 0)
      }),
    )
  })

  it('lets other work run between the beats of many items, and skips items deleted meanwhile', () => {
    const beats: number[] = []
    const pulse = new HeartbeatGroups<number>(INTERVAL_MS, (item) => beats.push(item), noEvents)
    const many = 10_000
    for (let item = 0; item < many; item += 1) pulse.add(item)
    let most = 0
    for (let turn = 0; beats.length < many / 2; turn += 1) {
      const before = beats.length
      clock.next()
      most = Math.max(most, beats.length - before)
      assert.ok(turn < many, 'goes on')
    }
    assert.ok(most < 1_000, `${most} at once`)
    const had = new Set(beats)
    for (let item = 0; item < many; item += 2) pulse.delete(item)
    beats.splice(0)
    clock.tick(INTERVAL_MS)
    assert.ok(beats.every((item) => item % 2 === 1))
    assert.equal(new Set([...had, ...beats].filter((item) => item % 2 === 1)).size, many / 2)
  })

  it('pauses between the beats of many items while there are events, and still beats all within an interval', () => {
    const beats: number[] = []
    const groups = new HeartbeatGroups<number>(
      INTERVAL_MS,
      (item) => beats.push(item),
      () => true,
    )
    const many = 4_000
    for (let item = 0; item < many; item += 1) groups.add(item)
    let most = 0
    for (let ms = 0; ms < INTERVAL_MS / 4 + 5; ms += 5) {
      const before = beats.length
      clock.tick(5)
      most = Math.max(most, beats.length - before)
    }
    assert.ok(most > 0 && most < 200, `${most} in 5 ms`)
    clock.tick(INTERVAL_MS)
    assert.equal(new Set(beats).size, many)
  })
})
