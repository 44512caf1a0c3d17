import assert from 'node:assert/strict'
import type { WriteBatch } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

const READERS = 20

/** A client that reads nothing, and holds what it was given last, as a socket does whose peer does not read. */
class Holding extends PacedTransport {
  held: Buffer | undefined

  override write(batch: WriteBatch): boolean {
    this.held = batch.bytes
    return super.write(batch)
  }
}

/** The bytes that clients hold together. What several hold counts once. */
function heldBytes(clients: readonly Holding[]): number {
  const held = new Set(clients.map(({ held }) => (held as Buffer).buffer))
  return Array.from(held).reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** Reads all that was written. @returns the data of the published events */
function readOn(client: PacedTransport): string[] {
  for (let before = -1; before !== client.writes; client.read()) before = client.writes
  return client.published
}

describe('Readers that do not read', () => {
  afterEach(closeComets)

  async function connectReaders(comet: ReturnType<typeof makeComet>['comet'], fields = {}) {
    const readers: Holding[] = []
    for (let index = 0; index < READERS; index += 1) {
      const transport = new Holding()
      await comet.connect({ identity: `user-${index}`, transport, ...fields })
      readers.push(transport)
    }
    return readers
  }

  for (const [bytes, count] of [
    [1_048_000, 5],
    [100_000, 10],
    [17_000, 30],
    [5_000, 200],
    [500, 2_000],
  ] as const) {
    const what = `${count} events of ${bytes} bytes to the world`
    it(`hold at most 128 KiB each beside the events, when they get ${what} and one each of their own`, async () => {
      const { comet } = makeComet()
      const readers = await connectReaders(comet)
      for (const reader of readers) reader.read()
      for (let index = 0; index < count; index += 1) void comet.publish({ evt: 'x'.repeat(bytes) })
      for (let index = 0; index < READERS; index += 1)
        void comet.publish({ uid: `user-${index}`, evt: 'own' })
      await until(() => readers.every(({ writes }) => writes > 1))
      assert.ok(heldBytes(readers) < bytes * count + READERS * 131_072, `${heldBytes(readers)} bytes`)
      const published = readOn(readers[0] as Holding)
      assert.deepEqual([published.length, published.at(-1)], [count + 1, 'own'])
    })
  }

  it('share the large events that they missed, or that they join a room with', async () => {
    const { comet } = makeComet()
    const first = await connect(comet, 'alice')
    const position = String(first.lastEventId)
    for (let index = 0; index < 4; index += 1) await comet.publish({ rid: 'den', evt: 'x'.repeat(1_000_000) })
    const returning = await connectReaders(comet, { rids: ['den'], position })
    const joining = await connectReaders(comet)
    for (const reader of joining) {
      const packet = { type: 'JOIN', join: { rid: 'den', recent: 4 } }
      const identity = `user-${joining.indexOf(reader)}`
      await comet.receive({ sid: reader.sid, identity, packet })
    }
    for (const reader of [...returning, ...joining]) {
      reader.read()
      reader.read()
    }
    const held = heldBytes([...returning, ...joining])
    assert.ok(held < 8_000_000, `${held} bytes`)
    for (const reader of [returning[0], joining[0]]) assert.equal(readOn(reader as Holding).length, 4)
  })

  it('are not too slow for a burst of several large events in one turn', async () => {
    const { comet } = makeComet({ maxBufferedBytes: 1_000 })
    const client = new PacedTransport()
    await comet.connect({ identity: 'alice', transport: client })
    client.read()
    for (let burst = 0; burst < 2; burst += 1) {
      for (const name of ['a', 'b', 'c', 'd', 'e']) void comet.publish({ evt: name.repeat(50_000) })
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    assert.equal(client.closed, false)
    assert.equal(readOn(client).length, 10)
  })
})
