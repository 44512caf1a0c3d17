import assert from 'node:assert/strict'
import type { Broker, BrokerConnection, Delivery } from '../../lib/index.ts'
import { until } from '../support/inbox.ts'

/** The promises of the Broker port, to be run over every implementation. */
export function brokerContract(name: string, make: () => Broker | Promise<Broker>): void {
  describe(`Broker contract: ${name}`, () => {
    let broker: Broker
    const links: BrokerConnection[] = []

    beforeEach(async () => {
      broker = await make()
    })

    afterEach(async () => {
      for (const link of links.splice(0)) await link.close()
    })

    async function join(id: string, namespace = 'test') {
      const got: Delivery[] = []
      const link = broker.join({ id, namespace, deliver: (delivery) => got.push(delivery) })
      links.push(link)
      await link.ready
      return { link, got, evts: () => got.map(({ evt }) => evt) }
    }

    it('delivers to every node of the namespace, also the publishing one', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await a.link.publish({ evt: 'one' })
      await until(() => a.got.length === 1 && b.got.length === 1)
      assert.deepEqual([a.evts(), b.evts()], [['one'], ['one']])
    })

    it('delivers nothing to another namespace', async () => {
      const [a, other] = [await join('a'), await join('b', 'other')]
      await a.link.publish({ evt: 'mine' })
      await other.link.publish({ evt: 'theirs' })
      await until(() => a.got.length === 1 && other.got.length === 1)
      assert.deepEqual([a.evts(), other.evts()], [['mine'], ['theirs']])
    })

    it('keeps the order of events that one caller publishes without awaiting', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const evts = Array.from({ length: 100 }, (_, index) => String(index))
      await Promise.all(evts.map((evt) => a.link.publish({ evt })))
      await until(() => a.got.length === 100 && b.got.length === 100)
      assert.deepEqual(a.evts(), evts)
      assert.deepEqual(b.evts(), evts)
    })

    it('gives all nodes one order and the same positions, each used once', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => (index % 2 ? a : b).link.publish({ evt: String(index) })),
      )
      await until(() => a.got.length === 50 && b.got.length === 50)
      assert.deepEqual(a.got, b.got)
      assert.equal(new Set(a.got.map(({ position }) => position)).size, 50)
    })

    it('delivers every field of an envelope', async () => {
      const a = await join('a')
      const envelope = { uid: 'u', rid: 'r', evt: 'é\n\0', except: { sid: 's' }, transient: true }
      await a.link.publish(envelope)
      await until(() => a.got.length === 1)
      const { position, ...rest } = a.got[0] as Delivery
      assert.deepEqual(rest, envelope)
      assert.match(position, /^[^\r\n\0]+$/)
    })

    it('answers position() with that of the latest delivery', async () => {
      const a = await join('a')
      const start = a.link.position()
      await a.link.publish({ evt: 'x' })
      await until(() => a.got.length === 1)
      assert.equal(a.link.position(), a.got[0]?.position)
      assert.notEqual(a.link.position(), start)
    })

    it('delivers nothing to a node that has left, even twice', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await b.link.close()
      await b.link.close()
      await a.link.publish({ evt: 'x' })
      await until(() => a.got.length === 1)
      assert.deepEqual(b.got, [])
    })
  })
}
