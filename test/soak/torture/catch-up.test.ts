import assert from 'node:assert/strict'
import type { Comet } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

/** A client that reads slowly comes back to a replay that is too large to be sent at once. */
async function comeBack(comet: Comet): Promise<PacedTransport> {
  const first = await connect(comet, 'alice')
  const position = String(first.lastEventId)
  first.drop()
  for (const digit of '123') await comet.publish({ uid: 'alice', evt: digit.repeat(70_000) })
  const client = new PacedTransport()
  await comet.connect({ identity: 'alice', transport: client, position })
  return client
}

/** However many heartbeats come in between. */
async function readAll(client: PacedTransport, published: number): Promise<void> {
  await until(async () => {
    await new Promise(setImmediate)
    client.read()
    return client.published.length >= published
  }, `${published} events`)
}

function assertNeverBack({ events }: PacedTransport): void {
  const places = events.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('.')[1])]))
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
}

describe('What has an id while a client catches up', () => {
  afterEach(closeComets)

  it('does not set the client back when it is transient', async () => {
    const { comet } = makeComet()
    const client = await comeBack(comet)
    await comet.publish({ uid: 'alice', evt: 'typing' }, { transient: true })
    await comet.publish({ uid: 'alice', evt: '4' })
    await readAll(client, 5)
    assert.deepEqual(client.published.slice(-2), ['typing', '4'])
    assertNeverBack(client)
  })

  it('does not set the client back when it is a heartbeat', async () => {
    const { comet } = makeComet({ heartbeatInterval: 20 })
    const client = await comeBack(comet)
    // Alice's heartbeats are due as often as bob's.
    const bob = await connect(comet, 'bob')
    const beats = () => bob.events.filter(({ event }) => event === 'comet.heartbeat').length
    await until(() => beats() >= 3, 'three heartbeats')
    const before = client.published.length
    client.read()
    // It need not read all of the replay to be able to answer.
    assert.notEqual(client.control('heartbeat'), undefined)
    assert.equal(client.published.length, before)
    await comet.publish({ uid: 'alice', evt: '4' })
    await readAll(client, 4)
    assert.equal(client.published.at(-1), '4')
    assertNeverBack(client)
  })
})
