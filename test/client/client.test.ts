import assert from 'node:assert/strict'
import {
  CometClient,
  CometClientError,
  type CometClientOptions,
  type StateChange,
} from '../../client/index.ts'
import { CometError, type CometOptions } from '../../lib/index.ts'
import { type AppOptions, nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { Inbox, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

describe('CometClient', () => {
  let app: TestApp | undefined
  const clients: CometClient[] = []

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
    await app?.close()
    app = undefined
  })

  async function start(comet: CometOptions = {}, options: AppOptions = {}): Promise<TestApp> {
    const canEnter = ({ rid }: { rid: string }) => rid !== 'vault'
    app = await startApp(nodeHttp, { comet: { canEnter, ...comet }, ...options })
    return app
  }

  function make(options: CometClientOptions = {}): CometClient {
    const client = new CometClient(app?.url ?? '', {
      query: { u: 'alice' },
      minDelay: 10,
      maxDelay: 50,
      ...options,
    })
    clients.push(client)
    return client
  }

  function statesOf(client: CometClient): Inbox<StateChange> {
    const states = new Inbox<StateChange>(({ state }) => state)
    client.onState((change) => states.push(change))
    return states
  }

  it('opens a stream, and hands out named events, Messages and texts', async () => {
    const { comet } = await start({ server: 's1' })
    const client = make()
    const seen = new Inbox<unknown>()
    client.on('chat', (message) => seen.push([message.json(), message.rid, message.fromHistory]))
    client.onMessage(({ event, id, server, time }) => seen.push([event, id, server, time?.toISOString()]))
    client.onText((text) => seen.push(text))
    await client.opened
    assert.equal(client.state, 'open')
    const time = 1_700_000_000_123_999_999n
    await comet.publish({ uid: 'alice', event: 'chat', data: { text: 'hi' } })
    await comet.publish({ uid: 'alice', evt: { event: 'chat', data: 'no JSON', id: 'm1', time } })
    for (const evt of ['opaque', '{"a":1}', '{', 'null']) await comet.publish({ uid: 'alice', evt })
    await seen.next((each) => each === 'null')
    assert.deepEqual(seen.all, [
      [{ text: 'hi' }, undefined, false],
      ['chat', undefined, undefined, undefined],
      ['no JSON', undefined, false],
      ['chat', 'm1', 's1', '2023-11-14T22:13:20.123Z'],
      ...['opaque', '{"a":1}', '{', 'null'],
    ])
  })

  it('enters rooms in its URL and later ones by JOIN, and hears each room by itself', async () => {
    const { comet } = await start()
    await comet.publish({ rid: 'lobby', event: 'chat', data: 'past' })
    const client = make()
    const lobby = client.room('lobby', { recent: 5 })
    assert.equal(client.room('lobby'), lobby)
    const seen = new Inbox<unknown>()
    lobby.on('chat', (message) => seen.push(['lobby', message.json(), message.fromHistory]))
    await lobby.entered
    const den = client.room('den')
    den.on('chat', (message) => seen.push(['den', message.json(), message.fromHistory]))
    assert.equal(den.state, 'entering')
    await den.entered
    await comet.publish({ rid: 'den', event: 'chat', data: 1 })
    await comet.publish({ rid: 'lobby', event: 'chat', data: 2 })
    await seen.next((each) => JSON.stringify(each) === '["lobby",2,false]')
    assert.deepEqual(seen.all, [
      ['lobby', 'past', true],
      ['den', 1, false],
      ['lobby', 2, false],
    ])
    await den.leave()
    assert.deepEqual([den.state, await comet.roomsOf('alice')], ['left', ['lobby']])
  })

  it('is refused a room, and stays open', async () => {
    await start()
    const client = make()
    const vault = client.room('vault')
    const states: string[] = []
    vault.onState(({ state, error }) => states.push(`${state} ${error?.code}`))
    await assert.rejects(vault.entered, { name: 'CometClientError', code: 'ROOM_REFUSED' })
    assert.deepEqual(states, ['refused ROOM_REFUSED'])
    await client.opened
    await assert.rejects(client.room('vault').entered, { code: 'ROOM_REFUSED', status: 403 })
    for (const rid of ['', 'a\nb', '\ud800'])
      assert.throws(() => client.room(rid), { code: 'INVALID_OPTION' })
  })

  it('counts what was said last, however quickly it enters and leaves', async () => {
    const { comet } = await start()
    const client = make()
    await client.opened
    const room = client.room('lobby')
    const left = room.leave()
    client.room('lobby')
    client.room('den').leave()
    await Promise.all([left, room.entered])
    assert.equal(await client.send('x'), undefined)
    assert.deepEqual(await comet.roomsOf('alice'), ['lobby'])
  })

  it('has an object for a room that the server enters', async () => {
    const { comet } = await start()
    const client = make()
    await client.opened
    await comet.enter({ uid: 'alice' }, 'hall')
    const seen = new Inbox<string | undefined>()
    client.on('chat', ({ rid }) => seen.push(rid))
    await comet.publish({ rid: 'hall', event: 'chat', data: 1 })
    assert.equal(await seen.next(), 'hall')
    assert.equal(client.room('hall').state, 'entered')
  })

  it('sends messages in order, and gets the answer of each', async () => {
    const got: string[] = []
    await start({
      onMessage: ({ evt }) => {
        got.push(evt)
        if (evt === 'no') throw new CometError('FORBIDDEN', 'Not your turn.')
        return { echo: evt }
      },
    })
    const client = make()
    const sent = [client.send({ text: 'hi' }), client.send('plain'), client.send('no')]
    const [one, two, three] = await Promise.allSettled(sent)
    const answers = [one, two].map((each) => each?.status === 'fulfilled' && each.value)
    assert.deepEqual(answers, [{ echo: '{"text":"hi"}' }, { echo: 'plain' }])
    assert.ok(three?.status === 'rejected')
    const { code, status, message } = three.reason as CometClientError
    assert.deepEqual([code, status, message], ['FORBIDDEN', 403, 'Not your turn.'])
    assert.deepEqual(got, ['{"text":"hi"}', 'plain', 'no'])
  })

  it('settles each message: by time, by signal, by the queue, by close', async () => {
    await start()
    const client = make({ connect: false, maxQueue: 3 })
    const abort = new AbortController()
    const failed = (sending: Promise<unknown>) => sending.then(String, ({ code }) => code)
    const sent = [
      failed(client.send('x', { volatile: true })),
      failed(client.send('x', { timeout: 10 })),
      failed(client.send('x', { signal: abort.signal })),
      failed(client.send('x', { timeout: Number.POSITIVE_INFINITY })),
      failed(client.send('x')),
      failed(client.send(undefined)),
    ]
    abort.abort()
    await sent[1]
    await client.close()
    const codes = ['NOT_CONNECTED', 'TIMEOUT', 'ABORTED', 'CLOSED', 'QUEUE_FULL', 'INVALID_OPTION']
    assert.deepEqual(await Promise.all(sent), codes)
    assert.equal(await failed(client.send('x')), 'CLOSED')
    await assert.rejects(client.opened, { code: 'CLOSED' })
    const idle = make({ connect: false })
    assert.equal(await failed(idle.send('x', { signal: AbortSignal.abort() })), 'ABORTED')
  })

  it('comes back after its connection was cut, and misses nothing', async () => {
    const { comet, sockets } = await start()
    const client = make()
    const states = statesOf(client)
    const seen: unknown[] = []
    const readies = new Inbox<unknown>()
    client.onReady(({ first, recovered }) => readies.push({ first, recovered }))
    client.room('lobby').on('chat', (message) => seen.push(message.json()))
    assert.deepEqual(await readies.next(), { first: true, recovered: false })
    for (let round = 0; round < 3; round += 1) {
      await comet.publish({ rid: 'lobby', event: 'chat', data: 2 * round })
      await until(() => seen.length === 2 * round + 1, 'the event')
      for (const socket of sockets) socket.destroy()
      await comet.publish({ rid: 'lobby', event: 'chat', data: 2 * round + 1 })
      assert.deepEqual(await readies.next(), { first: false, recovered: true })
      await until(() => seen.length === 2 * round + 2, 'the missed event')
    }
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5])
    const [first, second] = states.all
    assert.deepEqual([first?.state, second?.state], ['open', 'connecting'])
    assert.equal(comet.stats().users, 1)
  })

  it('is closed for good when the server says so, with its code, and connects again when told to', async () => {
    const { comet } = await start()
    const client = make()
    const states = statesOf(client)
    const errors: string[] = []
    client.onError(({ code }) => errors.push(code))
    await client.opened
    await comet.disconnect({ uid: 'alice' }, { reason: 'banned' })
    const { error } = await states.next(({ state }) => state === 'closed')
    assert.deepEqual([error?.code, error?.message, errors], ['DISCONNECTED', 'banned', ['DISCONNECTED']])
    client.connect()
    await client.opened
  })

  it('comes back by itself from a disconnect that asks for it', async () => {
    const { comet } = await start()
    const client = make()
    const states = statesOf(client)
    await client.opened
    await comet.disconnect({ uid: 'alice' }, { reconnect: true })
    const { error, retryAt } = await states.next(({ state }) => state === 'connecting' || state === 'waiting')
    assert.ok(error === undefined || (error.code === 'DISCONNECTED' && retryAt !== undefined))
    await states.next(({ state }) => state === 'open')
  })

  it('asks for other headers after 401, once, and then is closed', async () => {
    await start()
    const reasons: string[] = []
    const headers = ({ reason }: { reason: string }) => {
      reasons.push(reason)
      return {}
    }
    const client = make({ query: {}, headers })
    await assert.rejects(client.opened, { code: 'UNAUTHENTICATED', status: 401 })
    assert.deepEqual([reasons, client.state], [['STREAM', 'UNAUTHENTICATED'], 'closed'])
  })

  it('waits for headers that fail, and is ended by a CometClientError', async () => {
    await start()
    let calls = 0
    const headers = async () => {
      calls += 1
      if (calls < 3) throw new Error('The token service is down.')
      return { 'x-user': 'bob' }
    }
    const client = make({ query: {}, headers })
    const uids: string[] = []
    client.onReady(({ uid }) => uids.push(uid))
    await client.opened
    assert.deepEqual(uids, ['bob'])
    await client.send('x')
    const refuse = () => Promise.reject(new CometClientError('SIGNED_OUT', 'Nobody is signed in.'))
    await assert.rejects(make({ headers: refuse }).opened, { code: 'SIGNED_OUT' })
  })

  it('begins anew when another user is signed in', async () => {
    let user = 'alice'
    const { comet } = await start({}, { identify: () => user })
    const client = make()
    const readies: unknown[] = []
    client.onReady(({ uid, first }) => readies.push([uid, first]))
    const room = client.room('lobby')
    await room.entered
    user = 'bob'
    client.reconnect()
    await until(() => readies.length === 2, 'the second user')
    assert.deepEqual(readies, [
      ['alice', true],
      ['bob', true],
    ])
    assert.deepEqual([room.state, await comet.roomsOf('bob')], ['left', []])
  })

  it('calls a handler once, until each of its owners has ended it, and survives one that throws', async () => {
    const { comet } = await start()
    const client = make()
    const { error } = console
    const printed: unknown[] = []
    console.error = (thrown: unknown) => printed.push(thrown)
    try {
      let calls = 0
      let once = 0
      const handler = () => {
        calls += 1
      }
      const seen = new Inbox<unknown>()
      client.on('a', () => {
        throw new Error('broken')
      })
      const ends = [client.on('a', handler), client.on('a', handler)]
      const abort = new AbortController()
      client.on('a', () => (once += 1), { once: true })
      client.on('a', () => assert.fail(), { signal: abort.signal })
      abort.abort()
      client.on('a', (message) => seen.push(message.json()))
      await client.opened
      const counts: number[] = []
      for (const end of [() => {}, ...ends]) {
        end()
        await comet.publish({ uid: 'alice', event: 'a', data: 1 })
        await seen.next()
        counts.push(calls)
      }
      assert.deepEqual([counts, once, printed.length], [[1, 2, 2], 1, 3])
    } finally {
      console.error = error
    }
  })

  it('tells what is missing', async () => {
    const { comet, sockets } = await start({ historyEvents: 1 })
    const client = make()
    const gaps = new Inbox<unknown>()
    client.onGap((targets) => gaps.push(targets))
    const readies = new Inbox<{ readonly recovered: boolean }>()
    client.onReady((ready) => readies.push(ready))
    await readies.next()
    for (const socket of sockets) socket.destroy()
    for (const data of [1, 2, 3]) await comet.publish({ uid: 'alice', event: 'a', data })
    assert.equal((await readies.next()).recovered, false)
    assert.deepEqual(await gaps.next(), [{ uid: 'alice' }])
  })

  it('answers heartbeats', async () => {
    const { comet } = await start({ heartbeatInterval: 20 })
    await make().opened
    const before = comet.stats().packets
    await until(() => comet.stats().packets > before + 2, 'answers')
  })

  it('refuses what is no URL and no option, and says which', () => {
    assert.throws(() => new CometClient('/comet'), { code: 'INVALID_OPTION', message: /absolute/ })
    const wrong = [{ minDelai: 1 }, { minDelay: '1' }, { maxQueue: -1 }, { persist: null }]
    for (const options of wrong) {
      const [name = ''] = Object.keys(options)
      const expected = { code: 'INVALID_OPTION', message: new RegExp(name) }
      assert.throws(() => new CometClient('http://127.0.0.1', options as never), expected)
    }
  })

  it('tells what it does to option debug, and never a content', async () => {
    const { comet } = await start()
    const lines: string[] = []
    const client = make({ debug: (line) => lines.push(line) })
    await client.opened
    await comet.publish({ uid: 'alice', event: 'secret', data: 'secret' })
    await client.close()
    assert.ok(lines.includes('comet.ready'))
    assert.ok(!/secret|alice/.test(lines.join('\n')))
  })
})
