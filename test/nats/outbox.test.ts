import assert from 'node:assert/strict'
import { CometError } from '../../lib/errors.ts'
import { makeOutbox } from '../support/outbox.ts'

const MIB = 1_048_576

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('Outbox', () => {
  it('sends nothing until it is opened, and then in order, with numbers from 1', () => {
    const { outbox, publish, numbers } = makeOutbox()
    publish()
    publish()
    assert.deepEqual(numbers(), [])
    outbox.open()
    publish()
    assert.deepEqual(numbers(), [1, 2, 3])
    assert.deepEqual(
      Array.from(outbox.sent, ({ number }) => number),
      [1, 2, 3],
    )
  })

  it('has an event on its way until it is taken, and its publish unsettled until it is settled', async () => {
    const { outbox, publish, settled, on } = makeOutbox()
    outbox.open()
    publish()
    publish()
    const [first, second] = [on(1), on(2)]
    assert.equal(outbox.taken(first), true)
    assert.equal(outbox.taken(first), false)
    await turn()
    assert.deepEqual(settled, [])
    outbox.settle(first)
    outbox.settle(first)
    await turn()
    assert.deepEqual(settled, ['1'])
    let isSettled = false
    outbox.settled()?.then(() => {
      isSettled = true
    })
    publish()
    await turn()
    assert.equal(isSettled, false)
    outbox.settle(second)
    await turn()
    // The third was published later.
    assert.equal(isSettled, true)
    outbox.settle(on(3))
    assert.equal(outbox.settled(), undefined)
  })

  it('has at most 1,024 events on their way, and sends one more for each that is taken', () => {
    const { outbox, publishMany, numbers, on } = makeOutbox()
    outbox.open()
    publishMany(2_000)
    assert.equal(numbers().length, 1_024)
    outbox.taken(on(500))
    outbox.taken(on(1))
    assert.deepEqual(numbers(), [1_025, 1_026])
  })

  it('has at most 4 MiB on their way, or one event that is larger', () => {
    const { outbox, publishMany, numbers, on } = makeOutbox()
    outbox.open()
    publishMany(3, 1.5 * MIB)
    publishMany(1, 5 * MIB)
    publishMany(1, 1)
    assert.deepEqual(numbers(), [1, 2])
    outbox.taken(on(1))
    assert.deepEqual(numbers(), [3])
    outbox.taken(on(2))
    assert.deepEqual(numbers(), [])
    outbox.taken(on(3))
    assert.deepEqual(numbers(), [4])
    outbox.taken(on(4))
    assert.deepEqual(numbers(), [5])
  })

  it('sends again first what was on its way when the connection was lost, in the same order with the same numbers', () => {
    const { outbox, publish, publishMany, numbers, on } = makeOutbox()
    outbox.open()
    publishMany(5)
    outbox.taken(on(2))
    outbox.pause()
    publish()
    assert.deepEqual(numbers(), [1, 2, 3, 4, 5])
    assert.deepEqual(Array.from(outbox.sent), [])
    outbox.open()
    assert.deepEqual(numbers(), [1, 3, 4, 5, 6])
  })

  it('does so also when the connection is lost again before all was sent again', () => {
    const { outbox, publishMany, numbers, on } = makeOutbox()
    outbox.open()
    publishMany(1_500)
    outbox.pause()
    outbox.pause()
    numbers()
    outbox.open()
    outbox.taken(on(1))
    outbox.pause()
    numbers()
    outbox.open()
    assert.deepEqual(
      numbers(),
      Array.from({ length: 1_024 }, (_, at) => at + 2),
    )
  })

  it('keeps its order when NATS takes events at once', async () => {
    const { outbox, publishMany, numbers } = makeOutbox((item, each) =>
      queueMicrotask(() => each.taken(item)),
    )
    publishMany(3_000)
    outbox.open()
    await turn()
    assert.deepEqual(
      numbers(),
      Array.from({ length: 3_000 }, (_, at) => at + 1),
    )
  })

  it('does not take an event that is not on its way, which is sent again', () => {
    const { outbox, publish, numbers, on } = makeOutbox()
    outbox.open()
    publish()
    const item = on(1)
    outbox.pause()
    assert.equal(outbox.taken(item), false)
    outbox.refuse(item, new CometError('UNAVAILABLE'))
    outbox.open()
    assert.deepEqual(numbers(), [1, 1])
  })

  it('rejects an event that NATS refuses, and goes on', async () => {
    const { outbox, publish, settled, on } = makeOutbox()
    outbox.open()
    publish()
    publish()
    outbox.refuse(on(1), new CometError('EVENT_TOO_LARGE'))
    outbox.settle(on(2))
    await turn()
    assert.deepEqual(settled, ['1 EVENT_TOO_LARGE', '2'])
    assert.deepEqual(
      Array.from(outbox.sent, ({ number }) => number),
      [2],
    )
    assert.equal(outbox.settled(), undefined)
  })

  it('rejects all that NATS is not known to have when it is closed, and whatever comes', async () => {
    const { outbox, publish, publishMany, settled, numbers, on } = makeOutbox()
    outbox.open()
    publishMany(1_025)
    outbox.settle(on(1))
    outbox.taken(on(1))
    numbers()
    publish()
    outbox.close()
    outbox.close()
    outbox.open()
    publish()
    await turn()
    assert.deepEqual([settled[0], settled.at(-1)], ['1', '1027 SHUTTING_DOWN'])
    assert.equal(settled.filter((text) => text.endsWith(' SHUTTING_DOWN')).length, 1_026)
    assert.deepEqual(numbers(), [])
    assert.equal(outbox.settled(), undefined)
  })
})
