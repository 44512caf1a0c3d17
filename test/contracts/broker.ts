import assert from 'node:assert/strict'
import type { Broker, BrokerConnection, Delivery, Envelope } from '../../lib/index.ts'
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
      return { broker, got, texts: () => got.map(({ data }) => data) }
    }

    it('delivers to every node of the namespace, also the publishing one', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await a.broker.publish({ to: {}, data: 'one' })
      await until(() => a.got.length === 1 && b.got.length === 1)
      assert.deepEqual([a.texts(), b.texts()], [['one'], ['one']])
    })

    it('delivers nothing to another namespace', async () => {
      const [a, other] = [await join('a'), await join('b', 'other')]
      await a.broker.publish({ to: {}, data: 'mine' })
      await other.broker.publish({ to: {}, data: 'theirs' })
      await until(() => a.got.length === 1 && other.got.length === 1)
      assert.deepEqual([a.texts(), other.texts()], [['mine'], ['theirs']])
    })

    it('keeps the order of events that one caller publishes without awaiting', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const texts = Array.from({ length: 100 }, (_, index) => String(index))
      await Promise.all(texts.map((data) => a.broker.publish({ to: {}, data })))
      await until(() => a.got.length === 100 && b.got.length === 100)
      assert.deepEqual(a.texts(), texts)
      assert.deepEqual(b.texts(), texts)
    })

    it('gives all nodes one order and the same positions, each used once', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 ? a : b).broker.publish({ to: { rids: ['r'] }, data: String(index) }),
        ),
      )
      await until(() => a.got.length === 50 && b.got.length === 50)
      assert.deepEqual(a.got, b.got)
      assert.equal(new Set(a.got.map(({ position }) => position)).size, 50)
    })

    it('delivers every field of an envelope', async () => {
      const a = await join('a')
      const envelopes: Envelope[] = [
        { to: { uids: ['é', 'v'] }, data: 'é\n\0', except: { sids: ['s', 't'] }, transient: true },
        { to: { rids: ['r'] }, event: 'chat', data: '{"text":"hi"}', except: { uids: ['u'] } },
        { to: { sids: ['s'] }, event: 'é', data: 'null' },
        { to: {}, data: '' },
      ]
      for (const envelope of envelopes) await a.broker.publish(envelope)
      await until(() => a.got.length === envelopes.length)
      for (const [at, { position, ...rest }] of a.got.entries()) {
        assert.deepEqual(rest, envelopes[at])
        assert.match(position, /^[^\r\n\0]+$/)
      }
    })

    it('answers position() with that of the latest delivery', async () => {
      const a = await join('a')
      const start = a.broker.position()
      await a.broker.publish({ to: {}, data: 'x' })
      await until(() => a.got.length === 1)
      assert.equal(a.broker.position(), a.got[0]?.position)
      assert.notEqual(a.broker.position(), start)
    })

    it('delivers nothing to a node that has left, even twice', async () => {
      const [a, b] = [await join('a'), await join('b')]
      await b.broker.close()
      await b.broker.close()
      await a.broker.publish({ to: {}, data: 'x' })
      await until(() => a.got.length === 1)
      assert.deepEqual(b.got, [])
    })
  })
}
