import type { Outgoing } from '../../adapters/nats/outgoing.ts'
import { type QueuedEvent, SendQueue } from '../../adapters/nats/send-queue.ts'

/** Makes a queue, and notes what it sends and how each `publish` settles, by the order of their calls. */
export function makeSendQueue(onSend: (item: QueuedEvent, queue: SendQueue) => void = () => {}) {
  const sent: QueuedEvent[] = []
  const queue: SendQueue = new SendQueue((item) => {
    sent.push(item)
    onSend(item, queue)
  })
  const settled: string[] = []
  let count = 0
  const publish = (bytes = 100) => {
    count += 1
    const name = String(count)
    queue.publish({ bytes } as Outgoing).then(
      () => settled.push(name),
      ({ code }) => settled.push(`${name} ${code}`),
    )
  }
  const publishMany = (many: number, bytes?: number) => {
    for (let at = 0; at < many; at += 1) publish(bytes)
  }
  const numbers = () => sent.splice(0).map(({ number }) => number)
  const on = (number: number): QueuedEvent => {
    for (const item of queue.sent) if (item.number === number) return item
    throw new Error(`${number} is not on its way`)
  }
  return { queue, sent, settled, publish, publishMany, numbers, on }
}
