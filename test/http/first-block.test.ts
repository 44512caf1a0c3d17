import assert from 'node:assert/strict'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, openStream, type Stream } from '../support/clients.ts'
import { Gate, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const BARE = ':\nevent: comet.none\n\n'
const READY = 'event: comet.ready\n'
const CLOSE = 'event: comet.close\n'

/** The block that a stream begins with, for a client that brings a position. */
const none = (position: string) => `:\nevent: comet.none\nid: ${position}\n\n`

describe('GET stream, its first block', () => {
  let app: TestApp
  const gate = new Gate()

  beforeEach(async () => {
    const canEnter = async ({ rid }: { rid: string }) => {
      if (rid === 'slow') await gate.pass()
      if (rid === 'broken') throw new Error('no database')
      return true
    }
    app = await startApp(nodeHttp, { comet: { canEnter } })
  })
  afterEach(() => app.close())

  /** Opens a stream that brings a position in the way that EventSource does. */
  const openWith = (position: string, path = '') => {
    const headers = { 'x-user': 'alice', 'last-event-id': Buffer.from(position).toString('latin1') }
    return openStream(app, { path, headers })
  }
  const begins = (stream: Stream, start: string) => assert.equal(stream.text().slice(0, start.length), start)

  it('is comet.none with the position that the client brings, before comet.ready', async () => {
    const first = await connect(app, 'alice')
    await app.comet.publish({ uid: 'alice', evt: 'seen' })
    const { id = '' } = await first.next('message')
    first.destroy()
    await app.comet.publish({ uid: 'alice', evt: 'missed' })
    for (const path of ['', '?rid=den&recent=3']) {
      const stream = await openWith(id, path)
      await stream.next('comet.ready')
      begins(stream, none(id) + READY)
      stream.destroy()
    }
    const stream = await connect(app, 'alice', { path: `?lastEventId=${id}` })
    begins(stream, none(id) + READY)
    assert.equal((await stream.next('message')).data, 'missed')
  })

  it('is comet.none for an unknown position, too, before the comet.ready that tells of a gap', async () => {
    const stream = await openWith('AAAAAAAA.7')
    await stream.next('comet.gap')
    begins(stream, none('AAAAAAAA.7') + READY)
  })

  it('is comet.none without an id for a client that brings no position', async () => {
    begins(await connect(app, 'alice'), BARE + READY)
    begins(await connect(app, 'alice', { path: '?lastEventId=' }), BARE + READY)
  })

  for (const position of ['a b', 'ünï', 'a/b', 'x'.repeat(257), '{"a":1}']) {
    it(`is comet.ready for a position with other characters, or a longer one: ${position.slice(0, 9)}`, async () => {
      const stream = await openWith(position)
      await stream.next('comet.ready')
      begins(stream, READY)
    })
  }

  it('is comet.ready for a client with a stay-away token, which is not given again', async () => {
    const token = 'away:AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA'
    const stream = await openWith(token)
    await stream.next('comet.ready')
    begins(stream, READY)
    assert.ok(!stream.text().includes(token))
    await app.comet.close()
    const answer = await openWith(token)
    await within(answer.ended, 'the answer')
    begins(answer, CLOSE)
  })

  it('is comet.none in a temporary answer, too, before comet.close', async () => {
    const failed = await openWith('p.41', '?rid=broken')
    await within(failed.ended, 'the answer')
    begins(failed, none('p.41') + CLOSE)
    await app.comet.close()
    const answer = await openWith('p.41')
    await within(answer.ended, 'the answer')
    begins(answer, none('p.41') + CLOSE)
    const newcomer = await openStream(app, { headers: { 'x-user': 'alice' } })
    await within(newcomer.ended, 'the answer')
    begins(newcomer, BARE + CLOSE)
  })

  it('is comet.none in a stream that is closed before it has begun', async () => {
    const waiting = openWith('p.41', '?rid=slow')
    await gate.arrival()
    const disconnected = app.comet.disconnect({ uid: 'alice' }, { reason: 'banned' })
    gate.open()
    await disconnected
    const stream = await waiting
    await within(stream.ended, 'the end')
    begins(stream, none('p.41') + CLOSE)
  })
})
