import { Outbox, type OutboxItem } from '../../adapters/nats/outbox.ts'
import type { Outgoing } from '../../adapters/nats/outgoing.ts'

/** Makes an outbox, and notes what it sends and how each `publish` settles, by the order of their calls. */
export function makeOutbox(onSend: (item: OutboxItem, outbox: Outbox) => void = () => {}) {
  const sent: OutboxItem[] = []
  const outbox: Outbox = new Outbox((item) => {
    sent.push(item)
    onSend(item, outbox)
  })
  const settled: string[] = []
  let count = 0
  const publish = (bytes = 100) => {
    count += 1
    const name = String(count)
    outbox.publish({ bytes } as Outgoing).then(
      () => settled.push(name),
      ({ code }) => settled.push(`${name} ${code}`),
    )
  }
  const publishMany = (many: number, bytes?: number) => {
    for (let at = 0; at < many; at += 1) publish(bytes)
  }
  const numbers = () => sent.splice(0).map(({ number }) => number)
  const on = (number: number): OutboxItem => {
    for (const item of outbox.sent) if (item.number === number) return item
    throw new Error(`${number} is not on its way`)
  }
  return { outbox, sent, settled, publish, publishMany, numbers, on }
}
