import assert from 'node:assert/strict'
import type { Broker, BrokerConnection, BrokerHandler, Envelope } from '../../lib/index.ts'
import { PATIENCE_MS, until } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'
import { brokerNode } from './handlers.ts'

/** What a broker does not promise. */
export interface BrokerLimits {
  /** `'own'`: each node has an order and positions of its own, because nothing keeps the events. Default: all share one. */
  readonly order?: 'shared' | 'own'
}

/**
 * Defines tests of the promises of the Broker port. Every implementation must pass them.
 *
 * @param make called before each test, for a broker that no node has joined
 */
export function brokerContract(
  { describe, it, beforeEach, afterEach }: TestFramework,
  make: () => Broker | Promise<Broker>,
  { order = 'shared' }: BrokerLimits = {},
): void {
  const isShared = order === 'shared'
  describe('Broker contract', () => {
    let port: Broker
    const joined: BrokerConnection[] = []

    beforeEach(async () => {
      port = await make()
    })

    afterEach(async () => {
      for (const broker of joined.splice(0)) await broker.close()
    })

    async function join(id: string, namespace = 'test', settings: Partial<BrokerHandler> = {}) {
      const { node, got, ...told } = brokerNode(id, namespace, settings)
      const broker = port.join(node)
      joined.push(broker)
      await broker.ready
      return { broker, got, ...told, texts: () => got.map(({ data }) => data) }
    }

    /** The position of a node that receives, and is ready. */
    function positionOf(broker: BrokerConnection): string {
      const position = broker.position()
      assert.ok(position !== undefined)
      return position
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

    it(
      isShared
        ? 'gives all nodes one order and the same positions, each used once'
        : 'gives each node positions of its own, each used once',
      async () => {
        const [a, b] = [await join('a'), await join('b')]
        await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            (index % 2 ? a : b).broker.publish({ to: { rids: ['r'] }, data: String(index) }),
          ),
        )
        await until(() => a.got.length === 50 && b.got.length === 50)
        if (isShared) assert.deepEqual(a.got, b.got)
        const positions = (isShared ? a.got : a.got.concat(b.got)).map(({ position }) => position)
        assert.equal(new Set(positions).size, positions.length)
        assert.deepEqual(a.texts().sort(), b.texts().sort())
      },
    )

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

    it('settles publish when the event was delivered to the publishing node', async () => {
      const a = await join('a')
      for (const data of ['one', 'two', 'three']) {
        await a.broker.publish({ to: {}, data })
        assert.equal(a.texts().at(-1), data)
        assert.equal(a.broker.published(), undefined)
      }
    })

    it('tells when all was published that was not awaited', async () => {
      const a = await join('a')
      const texts = Array.from({ length: 20 }, (_, index) => String(index))
      for (const data of texts) a.broker.publish({ to: {}, data }).catch(assert.fail)
      await a.broker.published()
      assert.deepEqual(a.texts(), texts)
    })

    it('compares the positions of its order, up to the latest delivery', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const start = positionOf(a.broker)
      await a.broker.publish({ to: {}, data: '1' })
      const first = positionOf(a.broker)
      await a.broker.publish({ to: {}, data: '2' })
      const second = positionOf(a.broker)
      await until(() => b.got.length === 2)
      for (const { compare } of isShared ? [a.broker, b.broker] : [a.broker]) {
        assert.ok((compare(start, first) ?? 0) < 0)
        assert.ok((compare(second, first) ?? 0) > 0)
        assert.equal(compare(first, first), 0)
        for (const made of ['', 'x', `${first}0000`, `x${first}`, 'a.1.2.3.4']) {
          assert.equal(compare(made, first), undefined)
          assert.equal(compare(first, made), undefined)
        }
      }
      if (!isShared) assert.equal(b.broker.compare(first, second), undefined)
    })

    it(
      isShared
        ? 'reaches a position that another node is at, and waits for no other one'
        : 'waits for no position of another node',
      async () => {
        const [a, b] = [await join('a'), await join('b')]
        for (let count = 1; count <= 20; count += 1) {
          await a.broker.publish({ to: {}, data: String(count) })
          if (!isShared) continue
          const position = positionOf(a.broker)
          await b.broker.reach(position, PATIENCE_MS)
          assert.equal(b.got.length, count)
          assert.equal(b.broker.compare(position, positionOf(b.broker)), 0)
        }
        const last = positionOf(a.broker)
        const start = performance.now()
        for (const made of ['', 'x', `${last}0000`, `x${last}`, ...(isShared ? [] : [last])])
          await b.broker.reach(made, 10 * PATIENCE_MS)
        assert.ok(performance.now() - start < 10 * PATIENCE_MS)
      },
    )

    it('delivers nothing to a process that only publishes', async () => {
      const [a, publisher] = [await join('a'), await join('p', 'test', { receives: false })]
      await publisher.broker.publish({ to: {}, data: 'x' })
      await until(() => a.got.length === 1)
      assert.deepEqual([publisher.got, publisher.restored], [[], []])
      assert.equal(publisher.broker.position(), undefined)
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
