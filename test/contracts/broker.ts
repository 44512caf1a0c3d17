import assert from 'node:assert/strict'
import type { Broker, BrokerConnection, Delivery } from '../../lib/index.ts'
import { until } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'

/**
 * Defines tests of the promises of the Broker port. Every implementation must pass them.
 *
 * @param make called before each test, for a broker that no node has joined
 */
export function brokerContract(
  { describe, it, beforeEach, afterEach }: TestFramework,
  make: () => Broker | Promise<Broker>,
): void {
  describe('Broker contract', () => {
    let port: Broker
    const joined: BrokerConnection[] = []

    beforeEach(async () => {
      port = await make()
    })

    afterEach(async () => {
      for (const broker of joined.splice(0)) await broker.close()
    })

    async function join(id: string, namespace = 'test') {
      const got: Delivery[] = []
      const broker = port.join({ id, namespace, deliver: (delivery) => got.push(delivery) })
      joined.push(broker)
      await broker.ready
      return { broker, got, evts: () => got.map(({ evt }) => evt) }
    }

    it('delivers to every node of the namespace, also the publishing one', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await a.broker.publish({ evt: 'one' })
      await until(() => a.got.length === 1 && b.got.length === 1)
      assert.deepEqual([a.evts(), b.evts()], [['one'], ['one']])
    })

    it('delivers nothing to another namespace', async () => {
      const [a, other] = [await join('a'), await join('b', 'other')]
      await a.broker.publish({ evt: 'mine' })
      await other.broker.publish({ evt: 'theirs' })
      await until(() => a.got.length === 1 && other.got.length === 1)
      assert.deepEqual([a.evts(), other.evts()], [['mine'], ['theirs']])
    })

    it('keeps the order of events that one caller publishes without awaiting', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const evts = Array.from({ length: 100 }, (_, index) => String(index))
      await Promise.all(evts.map((evt) => a.broker.publish({ evt })))
      await until(() => a.got.length === 100 && b.got.length === 100)
      assert.deepEqual(a.evts(), evts)
      assert.deepEqual(b.evts(), evts)
    })

    it('gives all nodes one order and the same positions, each used once', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => (index % 2 ? a : b).broker.publish({ evt: String(index) })),
      )
      await until(() => a.got.length === 50 && b.got.length === 50)
      assert.deepEqual(a.got, b.got)
      assert.equal(new Set(a.got.map(({ position }) => position)).size, 50)
    })

    it('delivers every field of an envelope', async () => {
      const a = await join('a')
      const envelope = { uid: 'u', rid: 'r', evt: 'é\n\0', except: { sid: 's' }, transient: true }
      await a.broker.publish(envelope)
      await until(() => a.got.length === 1)
      const { position, ...rest } = a.got[0] as Delivery
      assert.deepEqual(rest, envelope)
      assert.match(position, /^[^\r\n\0]+$/)
    })

    it('answers position() with that of the latest delivery', async () => {
      const a = await join('a')
      const start = a.broker.position()
      await a.broker.publish({ evt: 'x' })
      await until(() => a.got.length === 1)
      assert.equal(a.broker.position(), a.got[0]?.position)
      assert.notEqual(a.broker.position(), start)
    })

    it('delivers nothing to a node that has left, even twice', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await b.broker.close()
      await b.broker.close()
      await a.broker.publish({ evt: 'x' })
      await until(() => a.got.length === 1)
      assert.deepEqual(b.got, [])
    })
  })
}
