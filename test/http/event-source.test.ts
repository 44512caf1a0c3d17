import assert from 'node:assert/strict'
import { type EventSourceClient, openEventSource } from '../support/clients.ts'
import { byKind, type Host, type HostOptions, http1Adapters, identifyByHeader } from '../support/http.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const alice = { headers: { 'x-user': 'alice' } }

for (const adapter of http1Adapters) {
  describe(`An EventSource behind ${adapter.name}`, () => {
    let host: Host
    let client: EventSourceClient | undefined

    before(async () => {
      host = await adapter.host()
    })
    afterEach(() => client?.close())
    after(() => host.close())

    it('gets comet.ready and what is published, with an id that it gives back later', async () => {
      client = openEventSource(host.url, alice)
      const ready = await client.next()
      assert.equal(ready.type, 'comet.ready')
      assert.equal(JSON.parse(ready.data).uid, 'alice')
      assert.ok(ready.lastEventId)
      await host.comet.publish({ uid: 'alice', evt: { event: 'chat', data: { text: 'hi' } } })
      const { data, lastEventId } = await client.next('message')
      const message = JSON.parse(data)
      assert.deepEqual([message.event, JSON.parse(message.data)], ['chat', { text: 'hi' }])
      assert.ok(lastEventId && lastEventId !== ready.lastEventId && lastEventId !== message.id)
    })

    for (const [status, query] of [
      [401, ''],
      [403, '?u=alice&rid=lobby'],
      [400, '?u=alice&clientId=a%0Ab'],
    ] as const) {
      it(`gives up for good on ${status}`, async () => {
        client = openEventSource(host.url + query)
        assert.equal(await within(client.failed, 'giving up'), status)
        assert.deepEqual(client.events, [])
      })
    }
  })
}

describe('An EventSource that lost its stream', () => {
  const [express] = byKind('express')
  let host: Host
  let client: EventSourceClient

  const start = async (options: HostOptions = {}) => {
    if (express === undefined) throw new Error('no adapter')
    host = await express.host({ comet: { retry: 1_000 }, ...options })
    client = openEventSource(host.url, alice)
    await client.next('comet.ready')
  }
  afterEach(async () => {
    client.close()
    await host.close()
  })

  it('comes back after the pause it was told, and says where it was', async () => {
    const positions: unknown[] = []
    await start({
      identify: (req) => {
        positions.push(req.headers['last-event-id'])
        return identifyByHeader(req)
      },
    })
    await host.comet.publish({ uid: 'alice', evt: 'hi' })
    const { lastEventId } = await client.next('message')
    const before = performance.now()
    for (const socket of host.sockets) socket.destroy()
    await client.next('comet.ready')
    assert.ok(performance.now() - before >= 700)
    assert.deepEqual(positions, [undefined, lastEventId])
  })

  it('comes back when the server is shutting down, and again when it is sent away', async () => {
    await start()
    await host.comet.close()
    assert.equal(JSON.parse((await client.next('comet.close')).data).code, 'SHUTDOWN')
    assert.equal(JSON.parse((await client.next('comet.close')).data).code, 'SHUTTING_DOWN')
    assert.deepEqual(client.statuses, [200, 200])
    assert.notEqual(client.source.readyState, client.source.CLOSED)
  })
})
