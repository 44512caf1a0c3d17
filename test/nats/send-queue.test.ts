import assert from 'node:assert/strict'
import { CometError } from '../../lib/errors.ts'
import { makeSendQueue } from '../support/send-queue.ts'

const MIB = 1_048_576

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('SendQueue', () => {
  it('sends nothing until it is opened, and then in order, with numbers from 1', () => {
    const { queue, publish, numbers } = makeSendQueue()
    publish()
    publish()
    assert.deepEqual(numbers(), [])
    queue.open()
    publish()
    assert.deepEqual(numbers(), [1, 2, 3])
    assert.deepEqual(
      Array.from(queue.sent, ({ number }) => number),
      [1, 2, 3],
    )
  })

  it('has an event on its way until it is taken, and its publish unsettled until it is settled', async () => {
    const { queue, publish, settled, on } = makeSendQueue()
    queue.open()
    publish()
    publish()
    const [first, second] = [on(1), on(2)]
    assert.equal(queue.taken(first), true)
    assert.equal(queue.taken(first), false)
    await turn()
    assert.deepEqual(settled, [])
    queue.settle(first)
    queue.settle(first)
    await turn()
    assert.deepEqual(settled, ['1'])
    let isSettled = false
    queue.settled()?.then(() => {
      isSettled = true
    })
    publish()
    await turn()
    assert.equal(isSettled, false)
    queue.settle(second)
    await turn()
    // The third was published later.
    assert.equal(isSettled, true)
    queue.settle(on(3))
    assert.equal(queue.settled(), undefined)
  })

  it('has at most 1,024 events on their way, and sends more when half of them are taken, or when more come', () => {
    const { queue, publishMany, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(2_000)
    assert.equal(numbers().length, 1_024)
    for (let number = 1; number <= 511; number += 1) queue.taken(on(number))
    assert.deepEqual(numbers(), [])
    queue.taken(on(1_024))
    assert.equal(numbers().length, 512)
    queue.taken(on(1_025))
    assert.deepEqual(numbers(), [])
    publishMany(1)
    assert.deepEqual(numbers(), [1_537])
  })

  it('has at most 4 MiB on their way, or one event that is larger', () => {
    const { queue, publishMany, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(3, 1.5 * MIB)
    publishMany(1, 5 * MIB)
    publishMany(1, 1)
    assert.deepEqual(numbers(), [1, 2])
    queue.taken(on(1))
    assert.deepEqual(numbers(), [3])
    queue.taken(on(2))
    assert.deepEqual(numbers(), [])
    queue.taken(on(3))
    assert.deepEqual(numbers(), [4])
    queue.taken(on(4))
    assert.deepEqual(numbers(), [5])
  })

  it('sends again first what was on its way when the connection was lost, in the same order with the same numbers', () => {
    const { queue, publish, publishMany, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(5)
    queue.taken(on(2))
    queue.pause()
    publish()
    assert.deepEqual(numbers(), [1, 2, 3, 4, 5])
    assert.deepEqual(Array.from(queue.sent), [])
    queue.open()
    assert.deepEqual(numbers(), [1, 3, 4, 5, 6])
  })

  it('does so also when the connection is lost again before all was sent again', () => {
    const { queue, publishMany, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(1_500)
    queue.pause()
    queue.pause()
    numbers()
    queue.open()
    queue.taken(on(1))
    queue.pause()
    numbers()
    queue.open()
    assert.deepEqual(
      numbers(),
      Array.from({ length: 1_024 }, (_, at) => at + 2),
    )
  })

  it('keeps its order when NATS takes events at once', async () => {
    const { queue, publishMany, numbers } = makeSendQueue((item, each) =>
      queueMicrotask(() => each.taken(item)),
    )
    publishMany(3_000)
    queue.open()
    await turn()
    assert.deepEqual(
      numbers(),
      Array.from({ length: 3_000 }, (_, at) => at + 1),
    )
  })

  it('does not take an event that is not on its way, which is sent again', () => {
    const { queue, publish, numbers, on } = makeSendQueue()
    queue.open()
    publish()
    const item = on(1)
    queue.pause()
    assert.equal(queue.taken(item), false)
    queue.refuse(item, new CometError('UNAVAILABLE'))
    queue.open()
    assert.deepEqual(numbers(), [1, 1])
  })

  it('rejects an event that NATS refuses, and goes on', async () => {
    const { queue, publish, settled, on } = makeSendQueue()
    queue.open()
    publish()
    publish()
    queue.refuse(on(1), new CometError('EVENT_TOO_LARGE'))
    queue.settle(on(2))
    await turn()
    assert.deepEqual(settled, ['1 EVENT_TOO_LARGE', '2'])
    assert.deepEqual(
      Array.from(queue.sent, ({ number }) => number),
      [2],
    )
    assert.equal(queue.settled(), undefined)
  })

  it('rejects all that NATS is not known to have when it is closed, and whatever comes', async () => {
    const { queue, publish, publishMany, settled, numbers, on } = makeSendQueue()
    queue.open()
    publishMany(1_025)
    queue.settle(on(1))
    queue.taken(on(1))
    publish()
    numbers()
    queue.close()
    queue.close()
    queue.open()
    publish()
    await turn()
    assert.deepEqual([settled[0], settled.at(-1)], ['1', '1027 SHUTTING_DOWN'])
    assert.equal(settled.filter((text) => text.endsWith(' SHUTTING_DOWN')).length, 1_026)
    assert.deepEqual(numbers(), [])
    assert.equal(queue.settled(), undefined)
  })
})
