import assert from 'node:assert/strict'
import {
  type Identify,
  identifyByHeader,
  nodeHttp,
  startApp,
  type TestApp,
  untilNoSockets,
  untilSessions,
} from '../support/apps.ts'
import { connect, head, openSocket } from '../support/clients.ts'
import {
  type GatedApp,
  leaveAfterHead,
  leaveBefore,
  leaveWhileWritten,
  leaveWithPacket,
  STAGES,
  startGatedApp,
} from '../support/departures.ts'
import { Gate } from '../support/inbox.ts'
import '../support/process-guard.ts'

describe('A client that leaves', () => {
  let gated: GatedApp

  beforeEach(async () => {
    gated = await startGatedApp((options) => startApp(nodeHttp, options))
  })
  afterEach(async () => {
    await gated.app.close()
    assert.deepEqual(gated.app.errors, [])
  })

  for (const stage of STAGES) {
    it(`leaves nothing behind when it goes before ${stage} has answered`, () => leaveBefore(stage, gated))
  }

  it('leaves nothing behind when it goes right after the head of the response', () => leaveAfterHead(gated))

  it('leaves nothing behind when it goes while large events are on their way', () => leaveWhileWritten(gated))

  it('has sent a packet in vain when it goes before identify has answered', () => leaveWithPacket(gated))
})

describe('A connection with pipelined requests', () => {
  let gate: Gate
  let app: TestApp

  beforeEach(async () => {
    gate = new Gate()
    const identify: Identify = async (req) => {
      if (req.headers['x-wait']) await gate.pass()
      return identifyByHeader(req)
    }
    app = await startApp(nodeHttp, { identify, comet: { offlineGrace: 0 } })
  })
  afterEach(() => app.close())

  const get = (user: string, ...lines: string[]) => head(`GET /comet?u=${user} HTTP/1.1`, 'Host: x', ...lines)

  it('leaves no session behind when it goes, not even of streams that had no socket yet', async () => {
    const client = await openSocket(app)
    client.send(get('a') + get('b') + get('c'))
    await untilSessions(app, 3)
    client.destroy()
    await untilSessions(app, 0)
    for (const uid of ['a', 'b', 'c']) assert.equal(await app.comet.isOnline(uid), false)
  })

  it('leaves no session behind when it goes before identify has answered for the second', async () => {
    const client = await openSocket(app)
    client.send(get('a') + get('b', 'X-Wait: yes'))
    await gate.arrival()
    await untilSessions(app, 1)
    client.destroy()
    await untilNoSockets(app)
    gate.open()
    await untilSessions(app, 0)
    await connect(app, 'bob')
    assert.equal(app.comet.stats().connections, 2)
  })

  it('gets the second stream once the first response has ended, when it stays', async () => {
    const client = await openSocket(app)
    client.send(`${head('GET /elsewhere HTTP/1.1', 'Host: x')}${get('b')}`)
    assert.equal((await client.response()).status, nodeHttp.passed)
    const stream = await client.response()
    assert.equal((await stream.next()).event, 'comet.ready')
    await app.comet.publish({ uid: 'b', evt: 'hi' })
    assert.equal((await stream.next('message')).data, 'hi')
    client.destroy()
  })
})
