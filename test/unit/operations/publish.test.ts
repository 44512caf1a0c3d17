import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type CometError,
  type Envelope,
  MemoryBroker,
  parseMessage,
  UserActivityEvent,
} from '../../../lib/index.ts'
import { toEnvelope } from '../../../lib/operations/envelope.ts'
import { type CometOptions, resolveOptions } from '../../../lib/options.ts'
import { anyText } from '../../support/arbitraries.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { nextWarning } from '../../support/warnings.ts'

const refusal = (code: string, message: string | RegExp) => ({ name: 'CometError', code, message })

/** Accepts anything, because JavaScript callers may pass anything. */
function envelope(event: unknown, publishOptions: unknown = {}, options: CometOptions = {}): Envelope {
  return toEnvelope(event, publishOptions, resolveOptions(options)) as Envelope
}

/** The Message that goes out for an evt. */
function message(evt: unknown, options?: CometOptions) {
  return parseMessage(envelope({ evt }, {}, options).data)
}

describe('Comet.publish: the target', () => {
  it('is a user, a room, both, or the world', () => {
    for (const [target, to] of [
      [{ uid: 'alice' }, { uids: ['alice'] }],
      [{ rid: 'lobby' }, { rids: ['lobby'] }],
      [{ uid: 'alice', rid: 'lobby' }, { uids: ['alice'] }],
      [{ sid: 'node.sid' }, { sids: ['node.sid'] }],
      [{}, {}],
    ]) {
      assert.deepEqual(envelope({ ...target, evt: 'x' }), { to, data: 'x' })
    }
  })

  it('is refused when it is undefined, null or empty, and never becomes the world', () => {
    for (const name of ['uid', 'rid', 'sid']) {
      for (const [value, problem] of [
        [undefined, 'must be a string, not undefined'],
        [null, 'must be a string, not null'],
        ['', 'must not be empty'],
      ]) {
        const message = `${name} ${problem}. To publish to the world, leave uid, rid and sid out.`
        assert.throws(() => envelope({ [name]: value, evt: 'x' }), refusal('INVALID_TARGET', message))
      }
    }
  })

  it('is refused when only one of uid and rid has a value', () => {
    assert.throws(() => envelope({ uid: undefined, rid: 'lobby', evt: 'x' }), { code: 'INVALID_TARGET' })
    assert.throws(() => envelope({ uid: 'alice', rid: '', evt: 'x' }), { code: 'INVALID_TARGET' })
  })

  it('is refused when a class defines it without a value', () => {
    class Notice {
      evt = 'x'
      get uid() {
        return undefined
      }
    }
    assert.throws(() => envelope(new Notice()), refusal('INVALID_TARGET', /^uid must be a string/))
  })

  it('is refused when it is malformed', () => {
    for (const uid of ['a\nb', '\ud83d', 'x'.repeat(257), 1.5, Number.NaN, true, {}]) {
      assert.throws(() => envelope({ uid, evt: 'x' }), refusal('INVALID_TARGET', /^uid must /))
    }
    for (const rid of [1.5, Number.NaN, true, {}]) {
      assert.throws(() => envelope({ rid, evt: 'x' }), refusal('INVALID_TARGET', /^rid must /))
    }
  })

  it('may be a user or a room by number or bigint, in decimal', () => {
    assert.deepEqual(envelope({ uid: 1, rid: 5, evt: 'x' }).to, { uids: ['1'] })
    assert.deepEqual(envelope({ rid: 2n ** 64n, evt: 'x' }).to, { rids: ['18446744073709551616'] })
    assert.deepEqual(envelope({ uid: 2n ** 64n, evt: 'x' }).to, { uids: ['18446744073709551616'] })
  })
})

describe('Comet.publish: the options', () => {
  it('except a user or a session', () => {
    assert.deepEqual(envelope({ evt: 'x' }, { except: { uid: 'bob' } }).except, { uids: ['bob'] })
    assert.deepEqual(envelope({ evt: 'x' }, { except: { uid: 7 } }).except, { uids: ['7'] })
    assert.deepEqual(envelope({ evt: 'x' }, { except: { sid: 'node.id' } }).except, { sids: ['node.id'] })
    const many = { uid: ['bob', 7, 'bob'] }
    assert.deepEqual(envelope({ evt: 'x' }, { except: many }).except, { uids: ['bob', '7'] })
    assert.equal('except' in envelope({ evt: 'x' }, { except: { uid: [] } }), false)
    assert.equal('except' in envelope({ evt: 'x' }, { except: undefined }), false)
  })

  // An app may limit the ids of users. The ids of sessions are made by Comet.
  it('except a session whatever maxIdBytes is', () => {
    const except = { sid: `${'n'.repeat(11)}.${'s'.repeat(22)}` }
    assert.deepEqual(envelope({ evt: 'x' }, { except }, { maxIdBytes: 8 }).except, { sids: [except.sid] })
  })

  it('are refused when except names nobody, because somebody would get what is not for them', () => {
    for (const except of [{ uid: undefined }, { uid: null }, { uid: '' }, { sid: undefined }, { sid: '' }]) {
      assert.throws(() => envelope({ evt: 'x' }, { except }), refusal('INVALID_ID', /^[us]id must /))
    }
    for (const except of [{}, null, 'bob', ['bob'], 7, { user: 'bob' }, { uid: 'bob', sid: 's' }]) {
      const message = /^Option except must be \{ uid \} or \{ sid \}, not /
      assert.throws(() => envelope({ evt: 'x' }, { except }), refusal('INVALID_ID', message))
    }
  })

  it('are refused when one is unknown, because nobody would be excepted', () => {
    const excpt = { uid: 'bob' }
    assert.throws(() => envelope({ evt: 'x' }, { excpt }), refusal('INVALID_EVENT', /but not "excpt"/))
  })

  it('mark an event as transient', () => {
    assert.equal(envelope({ evt: 'x' }, { transient: true }).transient, true)
    for (const options of [{}, { transient: false }, { transient: undefined }]) {
      assert.equal('transient' in envelope({ evt: 'x' }, options), false)
    }
  })

  it('are refused when they are of the wrong type', () => {
    for (const transient of [1, 'true', null]) {
      const message = /^Option transient must be a boolean, not /
      assert.throws(() => envelope({ evt: 'x' }, { transient }), refusal('INVALID_EVENT', message))
    }
    for (const options of [null, 'transient', []]) {
      const message = /^The options of publish must be an object, not /
      assert.throws(() => envelope({ evt: 'x' }, options), refusal('INVALID_EVENT', message))
    }
  })
})

describe('Comet.publish: evt as a string', () => {
  it('goes out unchanged', () => {
    fc.assert(
      fc.property(anyText, (evt) => {
        assert.deepEqual(envelope({ evt }), { to: {}, data: evt })
      }),
    )
  })

  it('is not completed, even if it is the JSON of a Message', () => {
    assert.equal(envelope({ evt: '{"event":"chat"}' }).data, '{"event":"chat"}')
  })
})

describe('Comet.publish: evt as a Message', () => {
  it('gets the server, a random id and the time', () => {
    const before = BigInt(Date.now()) * 1_000_000n
    const [first, second] = [message({ event: 'chat' }, { server: 's1' }), message({ event: 'chat' })]
    assert.equal(first.server, 's1')
    assert.equal(first.event, 'chat')
    assert.equal(first.data, '')
    assert.notEqual(first.id, '')
    assert.notEqual(first.id, second.id)
    // The clock may differ from the wall clock by some milliseconds.
    const after = BigInt(Date.now()) * 1_000_000n
    assert.ok(first.time > before - 10_000_000n && second.time < after + 10_000_000n)
    assert.ok(second.time >= first.time)
  })

  it('keeps the server, id and time it has', () => {
    const evt = { server: 'own', event: 'chat', data: 'hi', id: 'mine', time: 1700000000123456789n }
    assert.deepEqual(message(evt, { server: 's1' }), evt)
  })

  it('keeps data that is a string, and encodes anything else as JSON', () => {
    assert.equal(message({ data: '{"a":1}' }).data, '{"a":1}')
    assert.equal(message({ data: '' }).data, '')
    assert.equal(message({ data: undefined }).data, '')
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        const text = message({ data }).data
        assert.equal(text, typeof data === 'string' ? data.toWellFormed() : JSON.stringify(data))
      }),
    )
  })

  it('encodes data by its toJSON, such as a UserActivityEvent or a Date', () => {
    const activity = new UserActivityEvent({ type: 1, uid: 'u1', time: 7n })
    assert.equal(message({ data: activity }).data, '{"type":1,"uid":"u1","time":"7"}')
    assert.equal(message({ data: new Date(0) }).data, '"1970-01-01T00:00:00.000Z"')
  })

  it('is refused with data that JSON cannot express, and the error says what it is', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    for (const [data, says] of [
      [cyclic, /^evt\.data is not JSON: .*circular/],
      [1n, /^evt\.data is not JSON: .*BigInt/],
      [{ deep: [1n] }, /^evt\.data is not JSON: .*BigInt/],
      [() => 'x', /^evt\.data is not JSON, but a function\.$/],
      [Symbol('x'), /^evt\.data is not JSON, but a symbol\.$/],
    ] as const) {
      assert.throws(() => envelope({ evt: { event: 'chat', data } }), refusal('INVALID_EVENT', says))
    }
  })

  it('is refused with a field of the wrong type', () => {
    for (const [evt, says] of [
      [{ event: 5 }, /^Message\.event must be a string, not a number$/],
      [{ server: 0 }, /^Message\.server must be a string, not a number$/],
      [{ id: 7n }, /^Message\.id must be a string, not a bigint$/],
      [{ time: Date.now() }, /^Message\.time must be a bigint, not a number$/],
      [{ time: 2n ** 63n }, /^Message\.time is out of the range of int64/],
    ] as const) {
      assert.throws(() => envelope({ evt }), refusal('INVALID_FIELD', says))
    }
  })

  it('is refused when it is no object', () => {
    for (const evt of [undefined, null, 5, true, ['x']]) {
      const message = /^evt, unless it is a string, must be an object, not /
      assert.throws(() => envelope({ evt }), refusal('INVALID_EVENT', message))
    }
    for (const event of [undefined, null, 'x', []]) {
      const message = /^The event must be an object, not /
      assert.throws(() => envelope(event), refusal('INVALID_EVENT', message))
    }
  })
})

describe('Comet.publish: maxEventBytes', () => {
  const tooLarge = refusal('EVENT_TOO_LARGE', 'evt must have at most 12 bytes (option maxEventBytes).')

  it('accepts an evt up to the limit, counted in UTF-8', () => {
    for (const evt of ['', 'x'.repeat(11), 'x'.repeat(12), 'é'.repeat(6), '\u20ac'.repeat(4)]) {
      assert.equal(envelope({ evt }, {}, { maxEventBytes: 12 }).data, evt)
    }
  })

  it('refuses an evt above the limit', () => {
    // A lone surrogate goes out as U+FFFD, which takes three bytes.
    for (const evt of ['x'.repeat(13), `${'é'.repeat(6)}x`, '\u20ac'.repeat(5), '\ud83d'.repeat(5)]) {
      assert.throws(() => envelope({ evt }, {}, { maxEventBytes: 12 }), tooLarge)
    }
  })

  it('limits a Message by the text that goes out, with its escapes', () => {
    const evt = { server: 's', event: 'e', data: '<', id: 'i', time: 1n }
    const size = Buffer.byteLength(envelope({ evt }).data)
    assert.equal(parseMessage(envelope({ evt }, {}, { maxEventBytes: size }).data).data, '<')
    assert.throws(() => envelope({ evt }, {}, { maxEventBytes: size - 1 }), { code: 'EVENT_TOO_LARGE' })
  })

  it('is 1 MiB by default', () => {
    assert.equal(envelope({ evt: 'x'.repeat(2 ** 20) }).data.length, 2 ** 20)
    assert.throws(() => envelope({ evt: 'x'.repeat(2 ** 20 + 1) }), { code: 'EVENT_TOO_LARGE' })
  })
})

describe('Comet.publish: mistakes', () => {
  it('refuses a misspelt target, which would mean the world', () => {
    for (const [key, value] of Object.entries({ user: 'bob', room: 'den', UID: 'bob' })) {
      const message = new RegExp(`may have uid, rid, sid, event, data, evt, but not "${key}"`)
      assert.throws(() => envelope({ [key]: value, evt: 'x' }), refusal('INVALID_EVENT', message))
    }
  })

  it('refuses an object whose content no client would see', () => {
    for (const evt of [
      { type: 'chat' },
      { text: 'hi' },
      Buffer.from('hi'),
      new Date(),
      new Map(),
      Promise.resolve(),
    ]) {
      assert.throws(() => envelope({ evt }), refusal('INVALID_EVENT', /^evt, unless it is a string, /))
    }
    assert.doesNotThrow(() => envelope({ evt: Object.create(null) }))
  })
})

describe('Comet.publish', () => {
  afterEach(closeComets)

  it('rejects its promise and calls "error" once on a failure, without an unhandled rejection', async () => {
    const { comet } = makeComet()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    comet.publish({ uid: undefined as never, evt: 'for nobody' })
    await assert.rejects(comet.publish({ rid: '', evt: 'for nobody' }), { code: 'INVALID_TARGET' })
    await new Promise(setImmediate)
    assert.deepEqual(
      errors.map((error) => (error as CometError).code),
      ['INVALID_TARGET', 'INVALID_TARGET'],
    )
  })

  it('calls "error" only once when a hook returns the promise of a failed publish', async () => {
    const { comet } = makeComet()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    comet.on('heard', () => comet.publish({ rid: '', evt: 'for nobody' }))
    comet.heard('alice')
    await new Promise(setImmediate)
    assert.equal(errors.length, 1)
  })

  it('works in the hooks that are called while a node closes', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }), makeComet({ broker })]
    one.comet.on('leave', ({ uid, rid }) => one.comet.publish({ rid, evt: `${uid} left` }))
    one.comet.on('error', (error) => assert.fail(error))
    await connect(one.comet, 'alice', 'den')
    const bob = await connect(two.comet, 'bob', 'den')
    await one.comet.close()
    await until(() => bob.published.length > 0)
    assert.deepEqual(bob.published, ['alice left'])
  })

  it('rejects once the Comet is closed', async () => {
    const { comet } = makeComet()
    comet.on('error', () => {})
    await comet.close()
    await assert.rejects(comet.publish({ evt: 'late' }), { code: 'SHUTTING_DOWN' })
  })

  it('causes a process warning when it fails and nothing listens', async () => {
    const { comet } = makeComet()
    const warning = await nextWarning(() => comet.publish({ rid: undefined as never, evt: 'for nobody' }))
    assert.equal(warning.name, 'CometWarning')
    assert.match(warning.message, /rid/)
  })
})
