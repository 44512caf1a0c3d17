import assert from 'node:assert/strict'
import type { NatsConnection } from '@nats-io/transport-node'
import { NatsBroker, type NatsSource } from '../../adapters/nats/index.ts'
import { Link } from '../../adapters/nats/link.ts'

/** A connection as the client's function connect makes it. */
function connection(options?: object): NatsConnection {
  return { subscribe() {}, ...(options === undefined ? {} : { options }) } as unknown as NatsConnection
}

const CONNECTION =
  /^NatsBroker takes a connection of @nats-io\/transport-node, an address .*, or options of its function connect\. A connection must be awaited\.$/
const OF_BROKER = /^Option (jetstream|secret) is one of the broker: new NatsBroker\(source, \{ \1: … \}\)\.$/
const NO_ECHO = /must not have the option noEcho: a Comet hears its own events, too\.$/
const GIVES_UP =
  /gives up after some tries to reconnect\. Open it with maxReconnectAttempts: -1, and without reconnect: false\.$/

describe('Link', () => {
  for (const [title, source] of [
    ['an address', 'nats://127.0.0.1:4222'],
    ['options of connect', { servers: ['a', 'b'], user: 'comet' }],
    ['no options of connect, which has defaults', {}],
    [
      'options that would give up, because it opens the connection itself',
      { maxReconnectAttempts: 10, reconnect: false },
    ],
    ['options with noEcho: false', { noEcho: false }],
    ['a connection that never gives up', connection({ maxReconnectAttempts: -1 })],
    ['a connection with reconnect: true', connection({ maxReconnectAttempts: -1, reconnect: true })],
    ['a connection that does not tell its options', connection()],
  ] as const) {
    it(`takes ${title}`, () => {
      new Link(source as NatsSource)
    })
  }

  for (const [title, source, message] of [
    ['nothing', undefined, CONNECTION],
    ['null', null, CONNECTION],
    ['a number', 4222, CONNECTION],
    ['a list of addresses', ['nats://127.0.0.1:4222'], CONNECTION],
    ['an option of the broker among those of connect', { servers: 'a', jetstream: true }, OF_BROKER],
    ['the secret of the broker among the options of connect', { servers: 'a', secret: 'x' }, OF_BROKER],
    ['a function', () => {}, CONNECTION],
    ['a connection that was not awaited', Promise.resolve(connection()), CONNECTION],
    ['a connection with noEcho', connection({ maxReconnectAttempts: -1, noEcho: true }), NO_ECHO],
    ['options with noEcho', { noEcho: true }, NO_ECHO],
    ['a connection that gives up after ten tries', connection({ maxReconnectAttempts: 10 }), GIVES_UP],
    ['a connection with the defaults of the client', connection({}), GIVES_UP],
    [
      'a connection that does not reconnect',
      connection({ maxReconnectAttempts: -1, reconnect: false }),
      GIVES_UP,
    ],
  ] as const) {
    it(`refuses ${title}`, () => {
      assert.throws(() => new Link(source as never), { name: 'CometError', code: 'INVALID_OPTION', message })
    })
  }
})

describe('NatsBroker', () => {
  for (const options of [
    ...[
      undefined,
      {},
      { jetstream: undefined, secret: undefined },
      { jetstream: true },
      { jetstream: false },
    ],
    ...[{ jetstream: {} }, { jetstream: { storage: 'file', replicas: 1, stream: 'EVENTS' } }],
    ...[{ jetstream: { storage: 'memory', replicas: 5 } }, { secret: 'x'.repeat(16) }],
  ]) {
    it(`takes the options ${JSON.stringify(options)}`, () => {
      new NatsBroker('nats://127.0.0.1:4222', options as never)
    })
  }

  for (const [options, message] of [
    [null, /^The options of NatsBroker must be an object/],
    [{ jetStream: true }, /jetStream/],
    [{ secret: 'x'.repeat(15) }, /^Option secret must be a string of at least 16 characters\.$/],
    [{ secret: 5 }, /^Option secret must be a string of at least 16 characters\.$/],
    [{ jetstream: 'yes' }, /^Option jetstream must be an object/],
    [{ jetstream: { replica: 3 } }, /replica/],
    [{ jetstream: { storage: 'disk' } }, /^Option jetstream\.storage must be 'file' or 'memory'\.$/],
    [{ jetstream: { replicas: 0 } }, /^Option jetstream\.replicas must be 1, 3 or 5, not 0\.$/],
    [{ jetstream: { replicas: 6 } }, /^Option jetstream\.replicas /],
    [{ jetstream: { replicas: 2 } }, /^Option jetstream\.replicas /],
    [{ jetstream: { replicas: '3' } }, /^Option jetstream\.replicas must be 1, 3 or 5, not a string\.$/],
    [{ jetstream: { stream: '' } }, /^Option jetstream\.stream must be a name without spaces/],
    [{ jetstream: { stream: 'a.b' } }, /^Option jetstream\.stream /],
    [{ jetstream: { stream: 5 } }, /^Option jetstream\.stream /],
  ] as const) {
    it(`refuses the options ${JSON.stringify(options)}`, () => {
      const error = { name: 'CometError', code: 'INVALID_OPTION', message }
      assert.throws(() => new NatsBroker('nats://127.0.0.1:4222', options as never), error)
    })
  }

  it('does not say the secret that it refuses', () => {
    assert.throws(
      () => new NatsBroker('nats://127.0.0.1:4222', { secret: 'hunter2' }),
      ({ message }: Error) => !message.includes('hunter2'),
    )
  })
})
