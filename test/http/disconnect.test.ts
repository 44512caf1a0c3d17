import assert from 'node:assert/strict'
import { MemoryBroker } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp, withApp } from '../support/apps.ts'
import { connect, request, type Send, startStream } from '../support/clients.ts'
import { gatedPresence } from '../support/gated-presence.ts'
import { Gate } from '../support/inbox.ts'
import '../support/process-guard.ts'

describe('Comet.disconnect', () => {
  let app: TestApp

  beforeEach(async () => {
    app = await startApp(nodeHttp)
  })
  afterEach(() => app.close())

  /** Connects a user, disconnects it, and returns the stay-away token that it got. */
  const tokenOf = async (user: string, path = '') => {
    const stream = await connect(app, user, { path })
    assert.equal(await app.comet.disconnect({ sid: stream.sid }, { reason: 'banned' }), 1)
    const { data, id = '' } = await stream.next('comet.close')
    assert.deepEqual(JSON.parse(data), { code: 'DISCONNECTED', reason: 'banned', reconnect: false })
    assert.equal(await stream.ended, true)
    return id
  }
  const comeBack = async (user: string, token: string, path = '') =>
    await connect(app, user, { path, headers: { 'last-event-id': token } })

  it('gives the client a stay-away token, to which 204 is the answer, in the header or the URL', async () => {
    const token = await tokenOf('alice')
    const returns: Send[] = [
      { headers: { 'x-user': 'alice', 'last-event-id': token } },
      { headers: { 'x-user': 'alice' }, path: `?lastEventId=${encodeURIComponent(token)}` },
    ]
    for (const send of returns) {
      const { status, text, headers } = await request(app, send)
      assert.deepEqual([status, text], [204, ''])
      assert.equal(headers['content-type'], undefined)
      assert.equal(headers['cache-control'], 'no-store')
    }
    assert.equal(app.comet.stats().sessions, 0)
  })

  it('does not affect a page that is loaded again, which has no token', async () => {
    await tokenOf('alice')
    const { ready } = await connect(app, 'alice')
    assert.deepEqual([ready.uid, ready.recovered], ['alice', false])
  })

  it('of a session does not affect other tabs of its user, also when they come back', async () => {
    const other = await connect(app, 'alice')
    await tokenOf('alice')
    await app.comet.publish({ uid: 'alice', evt: 'still here' })
    const { data, id = '' } = await other.next('message')
    assert.equal(data, 'still here')
    other.destroy()
    const back = await comeBack('alice', id)
    assert.equal(back.ready.recovered, true)
  })

  it('gives a token that has no effect for other users or pages, or when it was changed', async () => {
    const path = '?clientId=page'
    const token = await tokenOf('alice', path)
    const changed = token.replace(/.{4}$/, 'AAAA')
    for (const [user, shown, where] of [
      ['bob', token, path],
      ['alice', token, '?clientId=other'],
      ['alice', token, ''],
      ['alice', changed, path],
      ['alice', `${token}A`, path],
    ] as const) {
      const { ready, blocks, next, destroy } = await comeBack(user, shown, where)
      assert.deepEqual([ready.uid, ready.recovered], [user, false])
      await app.comet.publish({ uid: user, evt: 'hi' })
      assert.equal((await next('message')).data, 'hi')
      assert.equal(blocks[1]?.event, 'comet.gap')
      destroy()
    }
    const headers = { 'x-user': 'alice', 'last-event-id': token }
    assert.equal((await request(app, { path, headers })).status, 204)
  })

  it('gives a token that does not replace identify: a client that has signed out gets 401', async () => {
    const token = await tokenOf('alice')
    assert.equal((await request(app, { headers: { 'last-event-id': token } })).status, 401)
  })
})

describe('Comet.disconnect before the stream has begun', () => {
  it('lets the client get its events, then the end', async () => {
    const broker = new MemoryBroker()
    const gate = new Gate()
    const presence = gatedPresence(broker.presence, gate)
    await withApp(nodeHttp, { comet: { broker, presence } }, async (app) => {
      const client = startStream(app, { headers: { 'x-user': 'alice' } })
      await gate.arrival()
      await app.comet.publish({ uid: 'alice', evt: 'published meanwhile' })
      await app.comet.disconnect({ uid: 'alice' }, { reason: 'banned' })
      const stream = await client.opened
      assert.equal(await stream.ended, true)
      gate.open()
      assert.deepEqual(
        stream.blocks.map(({ event }) => event),
        ['message', 'comet.close'],
      )
      assert.equal(app.comet.stats().sessions, 0)
    })
  })

  it('holds for a client whose identify has not answered yet', async () => {
    const gate = new Gate()
    const identify = async () => {
      await gate.pass()
      return 'alice'
    }
    await withApp(nodeHttp, { identify }, async (app) => {
      const client = startStream(app)
      await gate.arrival()
      await app.comet.disconnect({ uid: 'alice' }, { reason: 'signed out' })
      gate.open()
      const stream = await client.opened
      assert.equal(await stream.ended, true)
      assert.deepEqual(JSON.parse(String(stream.blocks[0]?.data)), {
        code: 'DISCONNECTED',
        reason: 'signed out',
        reconnect: false,
      })
      assert.equal((await connect(app, '')).ready.uid, 'alice')
    })
  })
})
