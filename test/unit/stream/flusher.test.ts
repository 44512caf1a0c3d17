import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { Comet, WriteBatch } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { runs } from '../../support/tier.ts'

const USERS = ['alice', 'bob', 'carol'] as const
const ROOMS = ['den', 'attic'] as const

/** A transport that stalls on request, and checks that a batch has the same bytes in each of its forms. */
class MoodyTransport extends MemoryTransport {
  stalls = false

  override write(batch: WriteBatch): boolean {
    const { bytes, chunk } = batch
    const head = `${bytes.length.toString(16)}\r\n`
    assert.ok(chunk.equals(Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n')])))
    super.write(batch)
    return !this.stalls
  }

  goOn(): void {
    this.stalls = false
    this.listener?.onDrain()
  }
}

interface Client {
  readonly uid: string
  readonly transport: MoodyTransport
  readonly rooms: Set<string>
  readonly expected: string[]
}

const target = fc.oneof(
  fc.record({ uid: fc.constantFrom(...USERS) }),
  fc.record({ rid: fc.constantFrom(...ROOMS) }),
  fc.constant({}),
)
const client = fc.nat(5)
const rid = fc.constantFrom(...ROOMS)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant('publish' as const), target, transient: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constantFrom('enter' as const, 'leave' as const), client, rid }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('stall' as const, 'goOn' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constantFrom('disconnect' as const, 'drop' as const), client }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('turn' as const) }) },
)

/** Two clients for each user. */
async function gather(comet: Comet): Promise<Client[]> {
  const uids = [...USERS, ...USERS]
  return await Promise.all(
    uids.map(async (uid) => {
      const transport = new MoodyTransport()
      await comet.connect({ identity: uid, transport })
      return { uid, transport, rooms: new Set<string>(), expected: [] }
    }),
  )
}

describe('Comet.publish within one turn', () => {
  afterEach(closeComets)

  it('reaches each session once and in order, through any joins, stalls and closes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { comet } = makeComet()
        const clients = await gather(comet)
        const closed = new Set<Client>()
        let n = 0
        for (const taken of steps) {
          if (taken.op === 'publish') {
            const evt = String(n)
            n += 1
            const { uid, rid } = taken.target as { uid?: string; rid?: string }
            comet.publish({ ...taken.target, evt }, { transient: taken.transient })
            for (const each of clients) {
              const isFor = uid === undefined ? rid === undefined || each.rooms.has(rid) : each.uid === uid
              if (isFor && !closed.has(each)) each.expected.push(evt)
            }
          } else if (taken.op === 'turn') {
            await new Promise(setImmediate)
          } else {
            const each = clients[taken.client] as Client
            if (closed.has(each)) continue
            if (taken.op === 'stall') each.transport.stalls = true
            else if (taken.op === 'goOn') each.transport.goOn()
            else if (taken.op === 'enter') {
              void comet.enter({ sid: each.transport.sid }, taken.rid)
              each.rooms.add(taken.rid)
            } else if (taken.op === 'leave') {
              void comet.leave({ sid: each.transport.sid }, taken.rid)
              each.rooms.delete(taken.rid)
            } else {
              closed.add(each)
              if (taken.op === 'drop') each.transport.drop()
              else void comet.disconnect({ sid: each.transport.sid })
            }
          }
        }
        for (const each of clients) if (!closed.has(each)) each.transport.goOn()
        await new Promise(setImmediate)
        await new Promise(setImmediate)
        for (const each of clients) {
          const { published } = each.transport
          // A closed client may not have got the last events.
          const expected = closed.has(each) ? each.expected.slice(0, published.length) : each.expected
          assert.deepEqual(published, expected)
        }
        assert.equal(comet.stats().sessions, clients.length - closed.size)
        await comet.close()
      }),
      runs(300),
    )
  })

  it('is written to very many sessions in slices, with other work in between, and in order', async () => {
    const { comet } = makeComet()
    const count = 3_000
    const clients: MemoryTransport[] = []
    // Time passes only with the writes: a fiftieth of a millisecond each, so that a slice has room for some hundreds.
    const clock = FakeTimers.install({ toFake: ['performance'] })
    class SlowTransport extends MemoryTransport {
      override write(batch: WriteBatch): boolean {
        clock.tick(0.02)
        return super.write(batch)
      }
    }
    try {
      for (let index = 0; index < count; index += 1) {
        const transport = new SlowTransport()
        clients.push(transport)
        await comet.connect({ identity: `user-${index}`, transport })
      }
      const done = () => clients.filter(({ published }) => published.length > 0).length
      comet.publish({ evt: '1' })
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      const after = clients.filter(({ writes }) => writes > 1).length
      assert.ok(after > 0 && after < count, `${after} of ${count} after one slice`)
      // The sessions that are still to be flushed get both together.
      comet.publish({ evt: '2' })
      while (done() < count) await new Promise(setImmediate)
      for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
      for (const { published } of clients) assert.deepEqual(published, ['1', '2'])
    } finally {
      clock.uninstall()
    }
  })

  describe('for few sessions, and for many', () => {
    /** Connects users, and counts the writes of the first one. */
    async function open(users: number) {
      const { comet } = makeComet()
      const transports = Array.from({ length: users }, () => new MemoryTransport())
      for (const [index, transport] of transports.entries()) {
        await comet.connect({ identity: `user-${index}`, transport })
      }
      const { writes: before } = transports[0] as MemoryTransport
      return { comet, writes: () => (transports[0] as MemoryTransport).writes - before, transports }
    }

    /** Calls functions one after the other in one turn of the event loop, each in a callback of its own. */
    async function inOneTurn(...callbacks: (() => void)[]): Promise<void> {
      for (const callback of callbacks) setImmediate(callback)
      await new Promise(setImmediate)
    }

    it('is written at the end of the callback that publishes, after what awaits the publications', async () => {
      const { comet, writes, transports } = await open(3)
      const seen: number[] = []
      await inOneTurn(
        async () => {
          await comet.publish({ uid: 'user-0', evt: '1' })
          await comet.publish({ uid: 'user-0', evt: '2' })
          comet.publish({ evt: '3' })
          seen.push(writes())
        },
        () => seen.push(writes()),
      )
      assert.deepEqual(seen, [0, 1])
      assert.deepEqual(transports[0]?.published, ['1', '2', '3'])
    })

    for (const [sessions, times] of [
      [3, 2],
      [300, 1],
    ] as const) {
      it(`is written ${times} times in a turn to each of ${sessions} sessions, however many callbacks publish`, async () => {
        const { comet, writes, transports } = await open(sessions)
        const callbacks = Array.from({ length: 20 }, (_, n) => () => void comet.publish({ evt: String(n) }))
        await inOneTurn(...callbacks)
        await new Promise(setImmediate)
        assert.equal(writes(), times)
        assert.equal(transports[0]?.published.length, 20)
      })
    }
  })
})
