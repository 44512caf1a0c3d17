import assert from 'node:assert/strict'
import {
  type Comet,
  type Controller,
  type Identified,
  MemoryBroker,
  type Presence,
} from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

async function reconnect(
  comet: Comet,
  identity: Identified,
  position: string | undefined,
  clientId?: string,
) {
  const transport = new MemoryTransport()
  await comet.connect({
    identity,
    transport,
    ...(position === undefined ? {} : { position }),
    ...(clientId === undefined ? {} : { clientId }),
  })
  return transport
}

/** Some turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

describe('Comet.disconnect', () => {
  afterEach(closeComets)

  it('keeps the client away when it reconnects by itself, and touches no other tab', async () => {
    const { comet } = makeComet()
    const [disconnected, other] = [await connect(comet, 'alice'), await connect(comet, 'alice')]
    assert.equal(await comet.disconnect({ sid: disconnected.sid }), 1)
    await assert.rejects(reconnect(comet, 'alice', disconnected.lastEventId), {
      code: 'STAY_AWAY',
      status: 204,
    })
    assert.equal(other.closed, false)
    await reconnect(comet, 'alice', other.lastEventId)
  })

  it('counts the streams that all nodes ended, when presence and the broker take their time', async () => {
    const broker = new MemoryBroker()
    const presence: Presence = {
      join: (node) => {
        const connection = broker.presence.join(node)
        const nodesOf: typeof connection.nodesOf = async (target) => {
          await turns(3)
          return await connection.nodesOf(target)
        }
        return { ...connection, nodesOf }
      },
    }
    const controller: Controller = {
      join: (node) => {
        const handle: typeof node.handle = async (command) => {
          await turns(3)
          return await node.handle(command)
        }
        return broker.controller.join({ ...node, handle })
      },
    }
    const make = () => makeComet({ broker, presence, controller }).comet
    const [one, two] = [make(), make()]
    for (const comet of [one, two, two]) await connect(comet, 'alice')
    assert.equal(await one.disconnect({ uid: 'alice' }), 3)
  })

  it('does not keep the client away after a reload', async () => {
    const { comet } = makeComet()
    const disconnected = await connect(comet, 'alice')
    await comet.disconnect({ uid: 'alice' })
    assert.ok(disconnected.closed)
    assert.ok((await reconnect(comet, 'alice', undefined)).opened)
  })

  it('issues a stay-away token that has no effect for another user, for another page, or when it was changed', async () => {
    const { comet } = makeComet()
    const disconnected = await reconnect(comet, 'alice', undefined, 'page')
    const guest = await connect(comet, { anonymous: true })
    await comet.disconnect({ sid: disconnected.sid })
    await comet.disconnect({ sid: guest.sid })
    const token = String(disconnected.lastEventId)
    const forged = token.replace(/.{4}$/, 'AAAA')
    await assert.rejects(reconnect(comet, 'alice', token, 'page'), { code: 'STAY_AWAY' })
    await assert.rejects(reconnect(comet, { anonymous: true }, guest.lastEventId), { code: 'STAY_AWAY' })
    assert.ok((await reconnect(comet, 'bob', token, 'page')).opened)
    assert.ok((await reconnect(comet, 'alice', token, 'other page')).opened)
    assert.ok((await reconnect(comet, 'alice', forged, 'page')).opened)
    assert.ok((await reconnect(comet, { anonymous: true }, token)).opened)
  })

  it('keeps the client away from every node, also when the node that it was connected to is gone', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }).comet, makeComet({ broker }).comet]
    const disconnected = await connect(one, 'alice')
    await two.disconnect({ uid: 'alice' })
    await assert.rejects(reconnect(two, 'alice', disconnected.lastEventId), { code: 'STAY_AWAY' })
    await one.close()
    await assert.rejects(reconnect(two, 'alice', disconnected.lastEventId), { code: 'STAY_AWAY' })
  })

  it('keeps the client away from every node when its session began on another node', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [
      makeComet({ broker, offlineGrace: 60_000 }).comet,
      makeComet({ broker, offlineGrace: 60_000 }).comet,
    ]
    const first = await reconnect(one, 'alice', undefined, 'page')
    first.drop()
    const second = await reconnect(two, 'alice', undefined, 'page')
    assert.equal(second.sid, first.sid)
    await one.disconnect({ uid: 'alice' })
    for (const node of [one, two]) {
      await assert.rejects(reconnect(node, 'alice', second.lastEventId, 'page'), { code: 'STAY_AWAY' })
    }
  })

  it('ends a client that canEnter is being asked about', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { comet, reported } = makeComet({ canEnter: () => new Promise((resolve) => (answer = resolve)) })
    const transport = new MemoryTransport()
    const connecting = comet.connect({ identity: 'alice', transport, rids: ['den'] })
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    answer(true)
    await connecting
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
    assert.deepEqual([reported, comet.stats().sessions], [[], 0])
    await assert.rejects(reconnect(comet, 'alice', transport.lastEventId), { code: 'STAY_AWAY' })
  })

  it('ends a client that was identified just before', async () => {
    const { comet, reported } = makeComet()
    const transport = new MemoryTransport()
    const connecting = comet.connect({ identity: 'alice', transport })
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    await connecting
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
    assert.deepEqual([transport.control('ready'), reported], [undefined, []])
  })

  it('sends a retry when the client may reconnect, although its stream has not begun', async () => {
    const { comet } = makeComet()
    comet.on('online', ({ uid }) => void comet.disconnect({ uid }, { reconnect: true }))
    const { events, text } = await connect(comet, 'alice')
    assert.deepEqual(
      events.map(({ event }) => event),
      ['comet.close'],
    )
    assert.match(text, /^retry: \d{4}$/m)
  })

  it('lets the client reconnect when the app says so', async () => {
    const { comet } = makeComet()
    const disconnected = await connect(comet, 'alice')
    await comet.disconnect({ uid: 'alice' }, { reason: 'new version', reconnect: true })
    assert.deepEqual(disconnected.control('close'), {
      code: 'DISCONNECTED',
      reason: 'new version',
      reconnect: true,
    })
    assert.ok((await reconnect(comet, 'alice', disconnected.lastEventId)).opened)
  })
})
