import assert from 'node:assert/strict'
import http2, { type ClientHttp2Session, type ServerHttp2Session } from 'node:http2'
import { eventParser } from '../support/event-parser.ts'
import { adapters, type Host } from '../support/http.ts'
import { Inbox, until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

for (const adapter of adapters.filter((each) => each.http2)) {
  describe(`Streams over one connection behind ${adapter.name}`, () => {
    let host: Host
    let session: ClientHttp2Session
    let serverSession: ServerHttp2Session

    beforeEach(async () => {
      host = await adapter.host({ comet: { offlineGrace: 0, onMessage: ({ evt }) => evt } })
      host.server.once('session', (each) => {
        serverSession = each
      })
      session = http2.connect(host.origin)
    })
    afterEach(async () => {
      session.destroy()
      await host.close()
    })

    const open = async (user: string) => {
      const stream = session.request({ ':path': `/comet?u=${user}` }).setEncoding('utf8')
      const inbox = new Inbox<{ event: string; data: string }>((block) => block.event)
      stream.on(
        'data',
        eventParser((block) => inbox.push(block)),
      )
      stream.on('close', () => inbox.end())
      stream.on('error', () => {})
      const next = (name: string) => inbox.next(({ event }) => event === name, name)
      const { sid } = JSON.parse((await next('comet.ready')).data) as { sid: string }
      return { stream, next, sid, all: inbox.all }
    }

    const post = (user: string, sid: string, packet: object) =>
      new Promise<string>((resolve, reject) => {
        const headers = {
          ':method': 'POST',
          ':path': `/comet/${sid}`,
          'x-user': user,
          'content-type': 'application/json',
        }
        const request = session.request(headers).setEncoding('utf8')
        let text = ''
        request.on('response', ({ ':status': status }) => {
          text += `${status} `
        })
        request.on('data', (piece) => {
          text += piece
        })
        request.on('end', () => resolve(text)).on('error', reject)
        request.end(JSON.stringify(packet))
      })

    it('get what is theirs, and packets go beside them', async () => {
      const [a, b] = [await open('a'), await open('b')]
      await host.comet.publish({ uid: 'a', evt: 'to a' })
      await host.comet.publish({ evt: 'to all' })
      assert.equal((await a.next('message')).data, 'to a')
      assert.equal((await a.next('message')).data, 'to all')
      assert.equal((await b.next('message')).data, 'to all')
      assert.equal(await post('a', a.sid, { type: 'HB' }), '204 ')
      assert.equal(await post('b', b.sid, { type: 'SEND', send: { evt: 'hi' } }), '200 "hi"')
      assert.match(await post('b', a.sid, { type: 'HB' }), /^403 /)
      assert.equal(host.sockets.size, 1)
    })

    it('end one by one when the client resets them', async () => {
      const [a, b] = [await open('a'), await open('b')]
      a.stream.close(http2.constants.NGHTTP2_CANCEL)
      await until(async () => !(await host.comet.isOnline('a')), 'offline')
      assert.equal(host.comet.stats().sessions, 1)
      await host.comet.publish({ evt: 'hi' })
      assert.equal((await b.next('message')).data, 'hi')
    })

    it('end together when the connection goes', async () => {
      for (const user of ['a', 'b', 'c']) await open(user)
      session.destroy()
      await until(() => host.comet.stats().sessions === 0, 'gone')
      for (const user of ['a', 'b', 'c']) assert.equal(await host.comet.isOnline(user), false)
    })

    it('go on when one of them is ended by the server', async () => {
      const [a, b] = [await open('a'), await open('b')]
      const ended = new Promise((resolve) => a.stream.once('end', resolve))
      assert.equal(await host.comet.disconnect({ uid: 'a' }, { reason: 'banned' }), 1)
      assert.match((await a.next('comet.close')).data, /banned/)
      await within(ended, 'the end of the stream')
      await host.comet.publish({ evt: 'hi' })
      assert.equal((await b.next('message')).data, 'hi')
      assert.equal(b.stream.closed, false)
    })

    it('carry more than a window, whole', async () => {
      const { next } = await open('a')
      const evt = 'ü'.repeat(400_000)
      await host.comet.publish({ uid: 'a', evt })
      assert.equal((await next('message')).data, evt)
    })

    it('leave no listeners on the connection when they come and go', async () => {
      const { sid } = await open('stays')
      const count = () => serverSession.eventNames().map((name) => serverSession.listenerCount(name))
      const before = count()
      for (let i = 0; i < 50; i++) {
        const { stream } = await open(`a${i}`)
        stream.close()
        await post('stays', sid, { type: 'HB' }).catch(() => {})
      }
      await until(() => host.comet.stats().sessions === 1, 'gone')
      assert.deepEqual(count(), before)
    })

    it('are refused in the middle of a body that the client resets', async () => {
      const { sid } = await open('a')
      const headers = {
        ':method': 'POST',
        ':path': `/comet/${sid}`,
        'x-user': 'a',
        'content-type': 'application/json',
      }
      const seen = new Promise((resolve) => host.server.once('request', resolve))
      const request = session.request(headers)
      request.on('error', () => {})
      request.write('{"type":')
      await seen
      request.close(http2.constants.NGHTTP2_CANCEL)
      await new Promise((resolve) => request.once('close', resolve))
      assert.equal(await post('a', sid, { type: 'HB' }), '204 ')
      assert.deepEqual([host.errors, host.failures], [[], []])
    })
  })
}
