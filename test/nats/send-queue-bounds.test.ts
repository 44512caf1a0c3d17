import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { Outgoing } from '../../adapters/nats/outgoing.ts'
import { makeSendQueue } from '../support/send-queue.ts'

const MIB = 1_048_576

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('The bounds of an SendQueue', () => {
  it('are 10,000 events or 16 MiB while NATS is away', async () => {
    const many = makeSendQueue()
    many.queue.setUp(false)
    many.publishMany(10_002)
    const large = makeSendQueue()
    large.queue.setUp(false)
    large.publishMany(16, MIB)
    large.publishMany(1, 1)
    await turn()
    assert.deepEqual(many.settled, ['10001 UNAVAILABLE', '10002 UNAVAILABLE'])
    assert.deepEqual(large.settled, ['17 UNAVAILABLE'])
    for (const { queue } of [many, large]) queue.close()
  })

  it('are 100,000 events or 64 MiB while it is there', async () => {
    const many = makeSendQueue()
    many.publishMany(100_001)
    const large = makeSendQueue()
    large.publishMany(64, MIB)
    large.publishMany(1, 1)
    await turn()
    assert.deepEqual(many.settled, ['100001 UNAVAILABLE'])
    assert.deepEqual(large.settled, ['65 UNAVAILABLE'])
    for (const { queue } of [many, large]) queue.close()
  })

  it('give room for each event that was taken', async () => {
    const { queue, publish, publishMany, settled, on } = makeSendQueue()
    queue.open()
    publishMany(16, MIB)
    queue.setUp(false)
    publish(1)
    queue.taken(on(1))
    publish(MIB)
    publish(1)
    await turn()
    assert.deepEqual(settled, ['17 UNAVAILABLE', '19 UNAVAILABLE'])
    queue.close()
  })

  it('reject the latest events when NATS goes away, but none that was sent, and leave no hole', async () => {
    const { queue, publishMany, settled, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(20_000)
    queue.pause()
    queue.setUp(false)
    await turn()
    const rejected = settled.map((text) => Number.parseInt(text, 10)).sort((a, b) => a - b)
    assert.deepEqual(
      rejected,
      Array.from({ length: 10_000 }, (_, at) => at + 10_001),
    )
    queue.setUp(true)
    numbers()
    queue.open()
    for (let number = 1; number <= 10_000; number += 1) queue.taken(on(number))
    assert.deepEqual(
      numbers(),
      Array.from({ length: 10_000 }, (_, at) => at + 1),
    )
    queue.close()
  })

  it('keep what was sent once, also when that alone is more than 16 MiB', async () => {
    const { queue, publishMany, settled, numbers } = makeSendQueue()
    queue.open()
    publishMany(1, 20 * MIB)
    publishMany(1, 1)
    queue.pause()
    queue.setUp(false)
    await turn()
    assert.deepEqual(settled, ['2 UNAVAILABLE'])
    queue.setUp(true)
    queue.open()
    assert.deepEqual(numbers(), [1, 1])
    queue.close()
  })
})

describe('The patience of an SendQueue', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => clock.uninstall())

  it('ends after 30 s for what was never sent, and never for what was', async () => {
    const { queue, publish, settled, numbers } = makeSendQueue()
    queue.open()
    publish()
    queue.pause()
    publish()
    clock.tick(10_000)
    publish()
    clock.tick(19_999)
    await turn()
    assert.deepEqual(settled, [])
    clock.tick(2_000)
    await turn()
    assert.deepEqual(settled, ['2 UNAVAILABLE'])
    clock.tick(1_000_000)
    await turn()
    assert.deepEqual(settled, ['2 UNAVAILABLE', '3 UNAVAILABLE'])
    publish()
    queue.open()
    // What was rejected has no number.
    assert.deepEqual(numbers(), [1, 1, 2])
  })

  it('says that NATS could not be reached', async () => {
    const { queue } = makeSendQueue()
    const rejected = assert.rejects(queue.publish({ bytes: 1 } as Outgoing), {
      code: 'UNAVAILABLE',
      message: 'NATS could not be reached within 30000 ms.',
    })
    clock.tick(31_000)
    await rejected
  })

  it('needs a timer only while something waits', async () => {
    const { queue, publish, on } = makeSendQueue()
    assert.equal(clock.countTimers(), 0)
    queue.open()
    publish()
    assert.equal(clock.countTimers(), 1)
    queue.taken(on(1))
    assert.equal(clock.countTimers(), 0)
    queue.pause()
    publish()
    publish()
    clock.tick(32_000)
    assert.equal(clock.countTimers(), 0)
    publish()
    queue.close()
    assert.equal(clock.countTimers(), 0)
  })
})
