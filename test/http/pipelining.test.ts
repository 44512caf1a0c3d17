import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  identifyByHeader,
  nodeHttp,
  startApp,
  type TestApp,
  untilNoSockets,
  untilSessions,
} from '../support/apps.ts'
import { connect, head, openSocket, postPacket, type SocketClient } from '../support/clients.ts'
import { Gate, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const get = (user: string, ...lines: string[]) =>
  head(`GET /comet?u=${user}&rid=lobby HTTP/1.1`, 'Host: x', ...lines)

const post = (user: string, sid: string, body: string, length = body.length) =>
  head(
    `POST /comet/${sid} HTTP/1.1`,
    'Host: x',
    `X-User: ${user}`,
    'Content-Type: application/json',
    `Content-Length: ${length}`,
  ) + body

describe('Pipelined requests', () => {
  /** Whom the app was asked about, and by what. */
  const asked: string[] = []
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  let gate: Gate
  let late: Gate
  let app: TestApp
  let client: SocketClient

  beforeEach(async () => {
    asked.length = 0
    warnings.length = 0
    process.on('warning', onWarning)
    gate = new Gate()
    late = new Gate()
    const route = async (req: IncomingMessage, res: ServerResponse, next: () => void) => {
      if (req.url !== '/late') return next()
      await late.pass()
      res.end('late')
    }
    app = await startApp(nodeHttp, {
      before: [route],
      identify: async (req) => {
        const user = identifyByHeader(req)
        asked.push(`identify ${user}`)
        if (req.headers['x-wait']) await gate.pass()
        return user
      },
      comet: {
        offlineGrace: 0,
        onMessage: ({ evt }) => evt,
        canEnter: ({ uid }) => {
          asked.push(`canEnter ${uid}`)
          return true
        },
      },
    })
    client = await openSocket(app)
  })
  afterEach(async () => {
    client.destroy()
    gate.open()
    late.open()
    await app.close()
    process.off('warning', onWarning)
    assert.deepEqual([warnings, app.errors], [[], []])
  })

  /** Settles when all that was asked of the app is answered: another client is served after that. */
  const settled = async () => {
    const other = await connect(app, 'other', { path: '?rid=lobby' })
    other.destroy()
    await until(async () => !(await app.comet.isOnline('other')), 'settled')
    return asked.filter((each) => !each.endsWith('other'))
  }

  it('behind a stream are not admitted, nor is the app asked about them', async () => {
    client.send(get('a') + get('b') + get('c'))
    await (await client.response()).next('comet.ready')
    client.send(get('d'))
    assert.deepEqual(await settled(), ['identify a', 'canEnter a'])
    await untilSessions(app, 1)
    assert.equal(app.comet.stats().connections, 2)
    for (const uid of ['b', 'c', 'd']) assert.equal(await app.comet.isOnline(uid), false)
  })

  it('behind a stream are not admitted when the stream begins after they have come', async () => {
    client.send(get('a', 'X-Wait: yes') + get('b'))
    await gate.arrival()
    assert.deepEqual(asked, ['identify a'])
    gate.open()
    await (await client.response()).next('comet.ready')
    assert.deepEqual(await settled(), ['identify a', 'canEnter a'])
  })

  it('behind a stream do not keep it from seeing that the client has gone', async () => {
    const { sid } = await connect(app, 'poster')
    client.send(get('a') + get('b'))
    await (await client.response()).next('comet.ready')
    // More than Node.js reads of a body that nobody takes.
    client.send(post('poster', sid, 'x'.repeat(200_000), 1_000_000))
    client.socket.end()
    await until(async () => !(await app.comet.isOnline('a')), 'offline')
  })

  it('with a packet behind a stream have no effect, because they are never answered', async () => {
    const { sid, next } = await connect(app, 'poster')
    client.send(get('a') + post('poster', sid, '{"type":"BYE"}'))
    await (await client.response()).next('comet.ready')
    client.send(post('poster', sid, '{"type":"BYE"}'))
    assert.ok(!(await settled()).includes('identify b'))
    assert.equal((await postPacket(app, 'poster', sid, { type: 'HB' })).status, 204)
    await app.comet.publish({ uid: 'poster', evt: 'still here' })
    assert.equal((await next('message')).data, 'still here')
  })

  it('are answered one after the other when none of them is a stream', async () => {
    const { sid } = await connect(app, 'poster')
    const send = (evt: string) => post('poster', sid, JSON.stringify({ type: 'SEND', send: { evt } }))
    client.send(send('1') + send('2') + head('GET /comet HTTP/1.1', 'Host: x') + send('3'))
    const answers: string[] = []
    for (let i = 0; i < 4; i++) {
      const response = await client.response()
      await response.complete
      answers.push(`${response.status} ${response.status === 200 ? response.body : ''}`)
    }
    assert.deepEqual(answers, ['200 "1"', '200 "2"', '401 ', '200 "3"'])
  })

  it('for a stream are admitted when the response before them has ended', async () => {
    client.send(head('GET /late HTTP/1.1', 'Host: x') + get('b'))
    await late.arrival()
    assert.deepEqual(await settled(), [])
    late.open()
    assert.equal((await client.response()).status, 200)
    const stream = await client.response()
    assert.equal((await stream.next()).event, 'comet.ready')
    await app.comet.publish({ uid: 'b', evt: 'hi' })
    assert.equal((await stream.next('message')).data, 'hi')
  })

  it('leave nothing behind when the client goes, whatever they wait for', async () => {
    client.send(get('a', 'X-Wait: yes') + get('b') + get('c'))
    await gate.arrival()
    client.destroy()
    await untilNoSockets(app)
    gate.open()
    assert.deepEqual(await settled(), ['identify a'])
    assert.equal(app.comet.stats().connections, 1)
  })

  for (const [what, first] of [
    ['a stream', get('a')],
    ['a response that never comes', get('a', 'X-Wait: yes')],
    ['a response of the app that never comes', head('GET /late HTTP/1.1', 'Host: x')],
  ] as const) {
    it(`twenty of them behind ${what} bring no warning of too many listeners`, async () => {
      client.send(first)
      for (let i = 0; i < 20; i++) client.send(get(`u${i}`))
      await until(async () => (await settled()).length <= 2, 'asked about the first only')
      const [socket] = app.sockets
      assert.ok((socket?.listenerCount('close') ?? 0) < 10)
      client.destroy()
      await untilSessions(app, 0)
    })
  }
})
