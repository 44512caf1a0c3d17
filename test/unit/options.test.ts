import assert from 'node:assert/strict'
import { Comet, MemoryBroker } from '../../lib/index.ts'
import { type CometOptions, resolveOptions } from '../../lib/options.ts'

/** Accepts anything, because JavaScript callers may pass anything. */
const resolve = (options: unknown) => resolveOptions(options as CometOptions)

/** The numeric options, with their default and their least value. */
const NUMBERS = {
  offlineGrace: [5_000, 0],
  heartbeatInterval: [15_000, 0],
  retry: [2_000, 1_000],
  commandTimeout: [5_000, 1],
  maxEventBytes: [1_048_576, 1],
  maxPacketBytes: [65_536, 1],
  maxIdBytes: [256, 1],
  maxTargets: [1_000, 1],
  packetRate: [20, 1],
  maxSessionsPerUser: [16, 1],
  connectRate: [120, 1],
  maxSessions: [2_147_483_647, 1],
  maxRoomsPerSession: [64, 0],
  maxBufferedBytes: [1_048_576, 1],
  writeTimeout: [30_000, 1],
  maxConnectionAge: [600_000, 0],
  historyEvents: [1_000, 0],
  historyBytes: [67_108_864, 0],
  historyAge: [300_000, 1],
  historyRate: [1_048_576, 1],
} as const

/** Values that are refused, and what the error calls them. */
const NO_NUMBERS: readonly (readonly [value: unknown, kind: string])[] = [
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [2 ** 31, '2147483648'],
  ['5000', 'a string'],
  [5_000n, 'a bigint'],
  [null, 'null'],
  [true, 'a boolean'],
  [{}, 'an object'],
  [Object.create(null), 'an object'],
  [[5_000], 'an array'],
  [Symbol('x'), 'a symbol'],
]

describe('CometOptions', () => {
  it('all have a default', () => {
    const { broker, presence, controller, ...others } = resolveOptions()
    assert.ok(broker instanceof MemoryBroker)
    assert.equal(presence, broker.presence)
    assert.equal(controller, broker.controller)
    const numbers = Object.fromEntries(Object.entries(NUMBERS).map(([name, [value]]) => [name, value]))
    assert.deepEqual(others, {
      ...numbers,
      activity: 'local',
      heard: 'local',
      canEnter: undefined,
      onMessage: undefined,
      keepHistory: undefined,
      onExcess: 'evict-oldest',
      namespace: 'comet',
      server: undefined,
    })
  })

  it('have their default when they are undefined', () => {
    const names = Object.keys(resolveOptions())
    const { broker: _, presence: _p, controller: _c, ...others } = resolveOptions()
    const undefinedOptions = Object.fromEntries(names.map((name) => [name, undefined]))
    const { broker, presence, controller, ...resolved } = resolve(undefinedOptions)
    assert.deepEqual(resolved, others)
    assert.equal(presence, (broker as MemoryBroker).presence)
    assert.equal(controller, (broker as MemoryBroker).controller)
  })

  it('are used as given', () => {
    const canEnter = () => true
    const onMessage = () => undefined
    const broker = new MemoryBroker()
    const { presence, controller } = new MemoryBroker()
    const given = {
      ...{ canEnter, onMessage, broker, presence, controller, namespace: 'a', server: 'b' },
      ...{ offlineGrace: 0, heartbeatInterval: 0, retry: 1_000, commandTimeout: 1 },
      ...{ maxEventBytes: 1, maxPacketBytes: 1, maxIdBytes: 1, packetRate: 1 },
      ...{
        maxSessionsPerUser: 1,
        connectRate: 1,
        onExcess: 'reject',
        maxSessions: 1,
        maxRoomsPerSession: 0,
        maxBufferedBytes: 1,
      },
      ...{
        writeTimeout: 1,
        maxConnectionAge: 0,
        historyEvents: 0,
        historyBytes: 0,
        historyAge: 1,
        historyRate: 1,
      },
      keepHistory: () => true,
      maxTargets: 1,
      activity: 'cluster',
      heard: 'record',
    } satisfies Required<CometOptions>
    const resolved = resolveOptions(given)
    for (const [name, value] of Object.entries(given))
      assert.equal(resolved[name as keyof CometOptions], value)
    assert.deepEqual(Object.keys(resolved).sort(), Object.keys(given).sort())
  })

  it('are checked by the constructor of Comet', () => {
    assert.throws(() => new Comet({ retry: 1 }), {
      name: 'CometError',
      code: 'INVALID_OPTION',
      message: /retry/,
    })
  })

  it('must be an object', () => {
    for (const options of [null, 'comet', 5, [], () => ({})]) {
      const message = /^The options must be an object, not /
      assert.throws(() => resolve(options), { name: 'CometError', code: 'INVALID_OPTION', message })
    }
  })

  it('are refused when one is unknown, such as a misspelt one', () => {
    for (const name of ['', 'toString', '__proto__ ', 'color']) {
      const message = `There is no option ${JSON.stringify(name)}.`
      assert.throws(() => resolve({ [name]: undefined }), { code: 'INVALID_OPTION', message })
    }
  })

  it('are refused with the nearest name when one is misspelt', () => {
    for (const [name, nearest] of [
      ['offlinegrace', 'offlineGrace'],
      ['canenter', 'canEnter'],
      ['maxSesions', 'maxSessions'],
      ['brokr', 'broker'],
      ['heartbeat', 'heartbeatInterval'],
      ['grace', 'offlineGrace'],
    ] as const) {
      const message = `There is no option "${name}". Did you mean ${nearest}?`
      assert.throws(() => resolve({ [name]: undefined }), { code: 'INVALID_OPTION', message })
    }
  })
})

for (const [name, [, least]] of Object.entries(NUMBERS)) {
  describe(`CometOptions.${name}`, () => {
    it(`accepts any number from ${least} to the longest timer of Node`, () => {
      for (const value of [least, least + 1, 2 ** 31 - 1]) {
        assert.equal(resolve({ [name]: value })[name as keyof CometOptions], value)
      }
    })

    it('refuses anything else, and names the option', () => {
      for (const [value, kind] of [
        ...NO_NUMBERS,
        [least - 1, `${least - 1}`],
        [-1e9, '-1000000000'],
      ] as const) {
        assert.throws(() => resolve({ [name]: value }), {
          name: 'CometError',
          code: 'INVALID_OPTION',
          message: `Option ${name} must be a number from ${least} to 2147483647, not ${kind}.`,
        })
      }
    })
  })
}

for (const name of ['canEnter', 'onMessage']) {
  describe(`CometOptions.${name}`, () => {
    it('refuses a value that is no function, and names the option', () => {
      for (const value of [null, true, 'yes', {}, ['lobby']]) {
        const message = new RegExp(`^Option ${name} must be a function, not `)
        assert.throws(() => resolve({ [name]: value }), {
          name: 'CometError',
          code: 'INVALID_OPTION',
          message,
        })
      }
    })
  })
}

for (const name of ['namespace', 'server']) {
  describe(`CometOptions.${name}`, () => {
    it('refuses a value that could not be an id, and names the option', () => {
      for (const value of [null, '', 5, 'a\nb', 'a\0', '\ud83d', 'x'.repeat(257)]) {
        const message = new RegExp(`^Option ${name} must `)
        assert.throws(() => resolve({ [name]: value }), {
          name: 'CometError',
          code: 'INVALID_OPTION',
          message,
        })
      }
    })
  })
}

describe('CometOptions.onExcess', () => {
  it('refuses a value that it does not have', () => {
    assert.equal(resolve({ onExcess: 'evict-oldest' }).onExcess, 'evict-oldest')
    for (const onExcess of [null, true, 'evict', '']) {
      const message = "Option onExcess must be 'evict-oldest' or 'reject'."
      assert.throws(() => resolve({ onExcess }), { code: 'INVALID_OPTION', message })
    }
  })
})

describe('CometOptions.broker, presence and controller', () => {
  const { join, presence, controller } = new MemoryBroker()

  it('come from the broker where they are not given', () => {
    const broker = new MemoryBroker()
    const own = { presence, controller }
    assert.equal(resolveOptions({ broker }).presence, broker.presence)
    assert.equal(resolveOptions({ broker }).controller, broker.controller)
    assert.equal(resolveOptions({ broker, ...own }).presence, presence)
    assert.equal(resolveOptions({ broker, ...own }).controller, controller)
    assert.equal(resolveOptions({ broker: { join }, ...own }).presence, presence)
  })

  it('are refused when a broker has no presence, with an explanation', () => {
    assert.throws(() => resolveOptions({ broker: { join, controller } }), {
      name: 'CometError',
      code: 'INVALID_OPTION',
      message:
        'This broker brings no presence: give the option presence, one that spans the nodes that share the broker, such as that of redisCluster. ' +
        'A private one would call users offline who are on another node.',
    })
  })

  it('are refused when a broker has no controller, with an explanation', () => {
    const message = /^This broker brings no controller: give the option controller, /
    assert.throws(() => resolveOptions({ broker: { join, presence } }), { code: 'INVALID_OPTION', message })
  })

  it('are refused when there is a presence or a controller without a broker', () => {
    const message = /^A presence or controller spans the nodes that share a broker: give the option broker/
    for (const options of [{ presence }, { controller }, { presence, controller }]) {
      assert.throws(() => resolveOptions(options), { code: 'INVALID_OPTION', message })
    }
  })

  it('are refused by name when they have no method join', () => {
    for (const name of ['broker', 'presence', 'controller']) {
      // An app that failed to make one may pass null. It must not get a private one instead.
      for (const value of [null, {}, 'redis://localhost', { join: 'x' }]) {
        const message = new RegExp(`^Option ${name} must be a ${name} with a method join, not `)
        const options = { broker: new MemoryBroker(), [name]: value }
        assert.throws(() => resolve(options), { name: 'CometError', code: 'INVALID_OPTION', message })
      }
    }
  })
})
