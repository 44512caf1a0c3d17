import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Comet, type CometError, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'

const TOKENS = ['Once', ' upon', ' a', ' time']

/** An iterable of tokens that tells how it was ended. */
class Source implements AsyncIterable<string> {
  taken = 0
  returned = 0
  readonly #next: (index: number) => Promise<string | undefined>

  constructor(next: (index: number) => Promise<string | undefined>) {
    this.#next = next
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: async () => {
        const value = await this.#next(this.taken)
        this.taken += 1
        return value === undefined ? { done: true, value } : { done: false, value }
      },
      return: async () => {
        this.returned += 1
        return { done: true, value: undefined }
      },
    }
  }
}

const never = () => new Promise<never>(() => {})

describe('Comet.publishAll', () => {
  afterEach(closeComets)

  async function start() {
    const { comet } = makeComet()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    return { comet, errors, page: await connect(comet, 'alice', 'run') }
  }

  it('publishes each item in order, and then how many there were', async () => {
    const { comet, page, errors } = await start()
    async function* tokens() {
      for (const token of TOKENS) {
        await sleep(1)
        yield token
      }
    }
    assert.equal(await comet.publishAll({ rid: 'run' }, tokens(), { event: 'token' }), 4)
    await until(() => page.named.length === 5)
    assert.deepEqual(page.named, [
      ...TOKENS.map((token) => ['token', token]),
      ['token.end', { ok: true, count: 4 }],
    ])
    assert.deepEqual(errors, [])
    assert.equal(comet.history({ rid: 'run' }).length, 5)
  })

  it('takes a ReadableStream, an array, and promises in one; and another name for the end', async () => {
    const { comet, page } = await start()
    const stream = new ReadableStream({
      start(controller) {
        for (const token of TOKENS) controller.enqueue(token)
        controller.close()
      },
    })
    await comet.publishAll({ uid: 'alice' }, stream, { event: 'a', end: 'done' })
    await comet.publishAll({}, TOKENS, { event: 'b' })
    await comet.publishAll({ sid: page.sid }, [Promise.resolve('late'), undefined], { event: 'c' })
    await until(() => page.named.length === 13)
    const names = page.named.map(([event]) => event)
    assert.deepEqual(names.slice(3), ['a', 'done', 'b', 'b', 'b', 'b', 'b.end', 'c', 'c', 'c.end'])
    assert.deepEqual(page.named.slice(-3, -1), [
      ['c', 'late'],
      ['c', null],
    ])
  })

  it('hands the options of publish on', async () => {
    const { comet, page } = await start()
    const bob = await connect(comet, 'bob', 'run')
    const options = { event: 'token', except: { uid: 'bob' }, transient: true } as const
    await comet.publishAll({ rid: ['run', 'other'] }, TOKENS, options)
    await until(() => page.named.length === 5)
    assert.deepEqual([bob.named, comet.history({ rid: 'run' })], [[], []])
  })

  it('tells clients INTERNAL when the iterable throws, and the caller the cause', async () => {
    const { comet, page, errors } = await start()
    const secret = new Error('the password is 1234')
    async function* tokens() {
      yield 'one'
      throw secret
    }
    await assert.rejects(comet.publishAll({ rid: 'run' }, tokens(), { event: 'token' }), secret)
    await until(() => page.named.length === 2)
    assert.deepEqual(page.named[1], ['token.end', { ok: false, code: 'INTERNAL', count: 1 }])
    assert.deepEqual(errors, [secret])
    assert.ok(!page.text.includes('1234'))
  })

  it('stops at the first item that cannot be published, and lets the iterable clean up', async () => {
    const { comet, page } = await start()
    const source = new Source(async (index) => (index === 2 ? 'x'.repeat(2 ** 20) : `${index}`))
    const rejects = assert.rejects(comet.publishAll({ rid: 'run' }, source, { event: 'token' }), {
      code: 'EVENT_TOO_LARGE',
      status: undefined,
    })
    await rejects
    await until(() => page.named.length === 3)
    assert.deepEqual(page.named[2], ['token.end', { ok: false, code: 'EVENT_TOO_LARGE', count: 2 }])
    assert.equal(source.returned, 1)
    assert.ok(source.taken <= 4)
  })

  it('ends at once when the signal is aborted, also while an item is awaited that never comes', async () => {
    const { comet, page, errors } = await start()
    const controller = new AbortController()
    const source = new Source(async (index) => (index < 3 ? `${index}` : never()))
    const run = comet.publishAll({ rid: 'run' }, source, { event: 'token', signal: controller.signal })
    await until(() => page.named.length === 3)
    controller.abort(new Error('stop'))
    const error = await run.catch((thrown: CometError) => thrown)
    assert.ok(typeof error === 'object')
    assert.deepEqual([error.code, (error.cause as Error).message], ['ABORTED', 'stop'])
    await until(() => page.named.length === 4)
    assert.deepEqual(page.named[3], ['token.end', { ok: false, code: 'ABORTED', count: 3 }])
    assert.deepEqual([source.returned, errors], [1, []])
  })

  it('takes nothing when the signal is aborted already, and keeps no listener on it', async () => {
    const { comet, page } = await start()
    const source = new Source(async () => 'x')
    const signal = AbortSignal.abort()
    const run = comet.publishAll({ rid: 'run' }, source, { event: 'token', signal })
    await assert.rejects(run, { code: 'ABORTED' })
    await until(() => page.named.length === 1)
    assert.equal(source.taken, 0)
    let listeners = 0
    const counted = new AbortController().signal
    const { addEventListener, removeEventListener } = counted
    counted.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1
      addEventListener.apply(counted, args)
    }
    counted.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1
      removeEventListener.apply(counted, args)
    }
    await comet.publishAll({ rid: 'run' }, TOKENS, { event: 'token', signal: counted })
    assert.equal(listeners, 0)
  })

  it('lets the iterable clean up at once when the signal is aborted, though the broker does not answer', async () => {
    const broker = new MemoryBroker()
    const silent = {
      presence: broker.presence,
      controller: broker.controller,
      join: (node: Parameters<MemoryBroker['join']>[0]) => ({ ...broker.join(node), publish: never }),
    }
    const { comet } = makeComet({ broker: silent })
    const source = new Source(async () => 'x')
    const controller = new AbortController()
    void comet.publishAll({ rid: 'run' }, source, { event: 'token', signal: controller.signal })
    await until(() => source.taken === 64)
    controller.abort()
    await until(() => source.returned === 1)
  })

  it('lets an iterable clean up of which an item is a promise that rejects', async () => {
    const { comet } = await start()
    let returned = 0
    const items: Iterable<Promise<string>> = {
      [Symbol.iterator]: () => ({
        next: () => ({ value: Promise.reject(new Error('lost')) }),
        return: () => {
          returned += 1
          return { done: true, value: undefined }
        },
      }),
    }
    await assert.rejects(comet.publishAll({ rid: 'run' }, items, { event: 'token' }), /lost/)
    assert.equal(returned, 1)
  })

  it('fails when an iterator answers what is no object, as a loop does', async () => {
    const { comet } = await start()
    let calls = 0
    const next = () => {
      calls += 1
      if (calls > 99) throw new Error('It would never end.')
      return 7
    }
    const items = { [Symbol.asyncIterator]: () => ({ next }) } as unknown as AsyncIterable<string>
    await assert.rejects(comet.publishAll({ rid: 'run' }, items, { event: 'token' }), TypeError)
    assert.equal(calls, 1)
  })

  it('keeps to the target that it was given, whatever becomes of the object, and whoever made it', async () => {
    const { comet, page } = await start()
    const target = { rid: ['run'] }
    async function* tokens() {
      yield 'first'
      target.rid[0] = 'elsewhere'
      yield 'second'
    }
    assert.equal(await comet.publishAll(target, tokens(), { event: 'token' }), 2)
    // Neither of them must go to the world.
    const inherited = Object.create(Object.assign(Object.create(null), { uid: 'bob' }))
    const hidden = Object.defineProperty({}, 'uid', { value: 'bob' })
    for (const each of [inherited, hidden]) await comet.publishAll(each, ['bobs'], { event: 'token' })
    await new Promise(setImmediate)
    assert.deepEqual(page.named, [
      ['token', 'first'],
      ['token', 'second'],
      ['token.end', { ok: true, count: 2 }],
    ])
  })

  it('takes a signal of another realm', async () => {
    const { comet } = await start()
    class AbortSignal extends EventTarget {
      readonly aborted = true
      readonly [Symbol.toStringTag] = 'AbortSignal'
    }
    const signal = new AbortSignal() as unknown as globalThis.AbortSignal
    const run = comet.publishAll({ rid: 'run' }, TOKENS, { event: 'token', signal })
    await assert.rejects(run, { code: 'ABORTED' })
  })

  it('has at most 64 items on their way to the broker', async () => {
    const broker = new MemoryBroker()
    let pending = 0
    let most = 0
    const slow = {
      presence: broker.presence,
      controller: broker.controller,
      join: (node: Parameters<MemoryBroker['join']>[0]) => {
        const connection = broker.join(node)
        return {
          ...connection,
          publish: async (envelope: Parameters<typeof connection.publish>[0]) => {
            pending += 1
            most = Math.max(most, pending)
            await connection.publish(envelope)
            await sleep(2)
            pending -= 1
          },
        }
      },
    }
    const { comet } = makeComet({ broker: slow })
    const page = await connect(comet, 'alice', 'run')
    assert.equal(await comet.publishAll({ rid: 'run' }, Array(300).keys(), { event: 'n' }), 300)
    await until(() => page.named.length === 301)
    const numbers = page.named.slice(0, -1).map(([, data]) => data)
    assert.deepEqual(numbers, [...Array(300).keys()])
    assert.equal(most, 64)
  })

  it('lets the process write to clients while an iterable never waits', async () => {
    const { comet, page } = await start()
    let seen = 0
    async function* tokens() {
      for (let index = 0; index < 1_000; index += 1) {
        if (index === 500) seen = page.named.length
        yield index
      }
    }
    await comet.publishAll({ rid: 'run' }, tokens(), { event: 'n' })
    assert.ok(seen >= 300, `${seen}`)
  })

  it('goes on to the same receivers, whatever the app does with its target', async () => {
    const { comet, page } = await start()
    const target: { rid: string[] } = { rid: ['run'] }
    async function* tokens() {
      yield 1
      target.rid.push('another room')
      yield 2
      Object.assign(target, { rid: undefined })
      yield 3
    }
    assert.equal(await comet.publishAll(target, tokens(), { event: 'n' }), 3)
    await until(() => page.named.length === 4)
    assert.deepEqual(comet.history({ rid: 'another room' }), [])
  })

  it('keeps two runs apart, and the order of each', async () => {
    const { comet, page } = await start()
    const run = (event: string) =>
      comet.publishAll(
        { rid: 'run' },
        (async function* () {
          for (let index = 0; index < 50; index += 1) {
            if (index % 7 === 0) await sleep(1)
            yield index
          }
        })(),
        { event },
      )
    await Promise.all([run('a'), run('b')])
    await until(() => page.named.length === 102)
    for (const name of ['a', 'b']) {
      const own = page.named.filter(([event]) => event === name).map(([, data]) => data)
      assert.deepEqual(own, [...Array(50).keys()])
    }
  })

  it('refuses wrong arguments before it takes an item', async () => {
    const { comet } = await start()
    const source = new Source(async () => 'x')
    const refused = async (args: unknown[], code: string, message: RegExp) => {
      const call = comet.publishAll as (...args: unknown[]) => Promise<number>
      await assert.rejects(call.apply(comet, args), { code, message })
    }
    await refused([{ room: 'run' }, source, { event: 'x' }], 'INVALID_TARGET', /not "room"/)
    await refused([{ uid: undefined }, source, { event: 'x' }], 'INVALID_TARGET', /^uid must be a string/)
    await refused([{}, source, {}], 'INVALID_EVENT', /^The event has no name/)
    await refused([{}, source, { event: 'open' }], 'INVALID_EVENT', /^event must not be/)
    await refused([{}, source, { event: 'x', end: 'error' }], 'INVALID_EVENT', /^end must not be/)
    await refused([{}, source, { event: Object.create(null) }], 'INVALID_EVENT', /^event must be a string/)
    await refused([{}, source, { event: 'comet' }], 'INVALID_EVENT', /^end must not be/)
    await refused([{}, source, { event: 'x', signal: {} }], 'INVALID_EVENT', /AbortSignal, not an object/)
    await refused([{}, source, { event: 'x', evnt: 1 }], 'INVALID_EVENT', /Did you mean event/)
    await refused([{}, source, undefined], 'INVALID_EVENT', /must be an object/)
    for (const items of ['text', undefined, null, 7, {}, new Map().keys]) {
      await refused([{}, items, { event: 'x' }], 'INVALID_EVENT', /must be an async iterable/)
    }
    assert.equal(source.taken, 0)
    assert.equal(comet.history({}).length, 0)
  })

  it('ends with SHUTTING_DOWN when the Comet is closed, and tells the pages', async () => {
    const { comet, errors, page } = await start()
    const source = new Source(async (index) => {
      await sleep(1)
      return `${index}`
    })
    const run = comet.publishAll({ rid: 'run' }, source, { event: 'token' })
    await until(() => source.taken > 2)
    await comet.close({ drain: 0 })
    await assert.rejects(run, { code: 'SHUTTING_DOWN' })
    assert.equal(source.returned, 1)
    const [end, close] = page.events.slice(-2)
    assert.deepEqual([end?.event, close?.event], ['token.end', 'comet.close'])
    const { ok, code, count } = JSON.parse(String(end?.data))
    assert.deepEqual([ok, code, count], [false, 'SHUTTING_DOWN', page.named.length - 1])
    await assert.rejects(comet.publishAll({}, TOKENS, { event: 'late' }), { code: 'SHUTTING_DOWN' })
    assert.deepEqual(errors, [])
  })

  it('may be ignored: a failure is never unhandled', async () => {
    const { comet, errors } = await start()
    const ignored: Comet = comet
    void ignored.publishAll({ rid: 'run' }, null as never, { event: 'token' })
    await new Promise(setImmediate)
    assert.equal(errors.length, 1)
  })
})
