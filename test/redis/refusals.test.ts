import assert from 'node:assert/strict'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import {
  createClient as createClient5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from 'redis5'
import { type RedisClient, redisCluster } from '../../adapters/redis/index.ts'
import { explain } from '../../adapters/redis/refusals.ts'
import { isCometError } from '../../lib/errors.ts'
import { RedisServer } from '../support/redis-server.ts'

/** Nothing listens there, and nothing connects to it. */
const NOWHERE = { host: '127.0.0.1', port: 1 } as const

/** @returns the message of the refusal */
function refusalOf(client: unknown, options?: unknown): string {
  try {
    redisCluster(client as RedisClient, options as undefined)
  } catch (error) {
    assert.ok(isCometError(error) && error.code === 'INVALID_OPTION')
    return error.message
  }
  return 'taken'
}

describe('redisCluster', () => {
  it('refuses what is no client, and says what it takes', () => {
    for (const value of [
      undefined,
      null,
      7,
      true,
      {},
      [],
      () => {},
      new Map(),
      Redis,
      '',
      'localhost',
      'http://x',
      'redis',
    ]) {
      assert.match(
        refusalOf(value),
        /^The client must be a client of the package redis \(5 or 6\) or ioredis/,
      )
    }
    assert.doesNotMatch(refusalOf('http://user:secret@x'), /secret/)
    assert.match(refusalOf('localhost:6379'), /not a text without redis:/)
    const connecting = Promise.resolve(createClient({ socket: NOWHERE }))
    assert.match(refusalOf(connecting), /not a Promise of one: await it/)
  })

  it('refuses options that it does not know, or cannot use', () => {
    const url = 'redis://127.0.0.1:1'
    assert.match(refusalOf(url, { leese: 1 }), /There is no option "leese". Did you mean lease\?/)
    for (const lease of [0, -1, 299, 3_600_001, Number.NaN, '1000', null])
      assert.match(refusalOf(url, { lease }), /^Option lease/)
    assert.match(refusalOf(url, 7), /must be an object/)
    assert.equal(refusalOf(url, { lease: 300 }), 'taken')
  })

  it('refuses a client of ioredis with a key prefix, or with numbers as text', () => {
    const client = (options: object) => new Redis({ ...NOWHERE, lazyConnect: true, ...options })
    assert.match(refusalOf(client({ keyPrefix: 'app:' })), /has the keyPrefix "app:". Give one without/)
    assert.match(refusalOf(client({ stringNumbers: true })), /stringNumbers/)
    const nodes = [NOWHERE]
    for (const options of [{ keyPrefix: 'x' }, { redisOptions: { keyPrefix: 'x' } }]) {
      assert.match(refusalOf(new Cluster(nodes, { lazyConnect: true, ...options })), /keyPrefix "x"/)
    }
  })

  it('refuses clients of the package redis that are pools, or old', () => {
    assert.match(refusalOf(createClientPool(NOWHERE as object)), /is a pool/)
    const old = { sendCommand: async () => null, duplicate: () => old, isOpen: true, on: () => old }
    const sentinel = createSentinel5({ name: 'x', sentinelRootNodes: [] })
    assert.match(refusalOf(sentinel), /for Sentinel and of version 5, .* Install version 6/)
    assert.match(refusalOf(old), /old version. Install version 5 or 6/)
  })

  it('takes every other client', () => {
    const clients: Record<string, RedisClient> = {
      client: createClient({ socket: NOWHERE }),
      cluster: createCluster({ rootNodes: [] }),
      sentinel: createSentinel({ name: 'x', sentinelRootNodes: [] }),
      client5: createClient5({ socket: NOWHERE }),
      cluster5: createCluster5({ rootNodes: [] }),
      url: 'redis://127.0.0.1:1' as never,
      secureUrl: 'rediss://user:secret@127.0.0.1:1/2' as never,
    }
    for (const [name, client] of Object.entries(clients)) assert.equal(refusalOf(client), 'taken', name)
  })

  it('adds one listener to a client, however often it is given', () => {
    const client = createClient({ socket: NOWHERE })
    for (let count = 0; count < 20; count += 1) redisCluster(client)
    assert.equal(client.listenerCount('error'), 1)
    client.emit('error', new Error('nobody listens'))
  })

  it('says what to change about a Redis that does not fit', () => {
    assert.match(explain(new Error('VERSION is too old')).message, /version 7.0 or later/)
    assert.match(explain(new Error('NOPERM this user has no permissions')).message, /comet:\*/)
    const other = new Error('ERR something')
    assert.equal(explain(other), other)
    assert.equal(explain('text').message, 'text')
  })

  describe('a client that is in use', () => {
    let server: RedisServer

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())

    it('is refused in subscriber or monitor mode', async () => {
      const port = server.port
      const subscriber = new Redis({ port, protocol: 2 })
      await subscriber.subscribe('x')
      assert.match(refusalOf(subscriber), /is in subscriber mode/)
      subscriber.disconnect()
      const subscriber5 = new Redis5({ port })
      await subscriber5.subscribe('x')
      assert.match(refusalOf(subscriber5), /is in subscriber mode/)
      subscriber5.disconnect()
      const monitor = await new Redis5({ port, lazyConnect: true }).monitor()
      assert.match(refusalOf(monitor), /is in monitor mode/)
      monitor.disconnect()
      for (const client of [createClient({ url: server.url, RESP: 2 }), createClient5({ url: server.url })]) {
        await client.connect()
        await client.subscribe('x', () => {})
        assert.match(refusalOf(client), /is in subscriber mode/)
        client.destroy()
      }
      // With RESP 3 a client that is subscribed can send commands.
      const client = createClient({ url: server.url })
      await client.connect()
      await client.subscribe('x', () => {})
      assert.equal(refusalOf(client), 'taken')
      client.destroy()
    })
  })
})
