import assert from 'node:assert/strict'
import type { Comet } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { Gate, within } from '../../support/inbox.ts'
import type { MemoryTransport } from '../../support/memory-transport.ts'
import '../../support/process-guard.ts'

/** The ways in which a session ends. */
const ENDS: Record<string, (comet: Comet, alice: MemoryTransport) => unknown> = {
  'its connection drops': (_, alice) => alice.drop(),
  'it says BYE': (comet, { sid }) => comet.receive({ sid, identity: 'alice', packet: { type: 'BYE' } }),
  'the app disconnects it': (comet) => comet.disconnect({ uid: 'alice' }),
  'the client reads too slowly': (_, alice) => alice.stall(),
  'its Comet closes': (comet) => comet.close({ drain: 0 }),
}

const send = (evt: string) => ({ type: 'SEND', send: { evt } })

describe('Packets that wait for an earlier one', () => {
  afterEach(closeComets)

  for (const [how, end] of Object.entries(ENDS)) {
    for (const offlineGrace of [0, 60_000]) {
      it(`are rejected at once when ${how}, with a grace of ${offlineGrace} ms`, async () => {
        const { comet } = makeComet({ offlineGrace, onMessage: () => new Promise(() => {}) })
        const alice = await connect(comet, 'alice')
        const { sid } = alice
        comet.receive({ sid, identity: 'alice', packet: send('never answered') })
        const waiting = Array.from({ length: 10 }, (_, index) =>
          comet.receive({ sid, identity: 'alice', packet: send(`${index}`) }),
        )
        const settled = Promise.allSettled(waiting)
        await new Promise(setImmediate)
        end(comet, alice)
        for (const outcome of await within(settled, 'the end of the packets')) {
          assert.ok(outcome.status === 'rejected')
          assert.equal(outcome.reason.code, 'NO_SUCH_SESSION')
        }
      })
    }
  }

  it('have at most maxBufferedBytes together, and are handled in order', async () => {
    const gate = new Gate()
    const handled: string[] = []
    const { comet } = makeComet({
      maxBufferedBytes: 1_000,
      onMessage: async ({ evt }) => {
        handled.push(evt.slice(0, 1))
        await gate.pass()
      },
    })
    const { sid } = await connect(comet, 'alice')
    const say = (evt: string) => comet.receive({ sid, identity: 'alice', packet: send(evt) })
    const accepted = [say('1'.repeat(5_000)), say('2'.repeat(600)), say('3'.repeat(300))]
    await assert.rejects(say('€'.repeat(50)), { code: 'TOO_MANY_PACKETS', status: 429 })
    gate.open()
    await Promise.all(accepted)
    await say('4'.repeat(600))
    assert.deepEqual(handled, ['1', '2', '3', '4'])
  })

  it('do not keep their packet in memory when their session ends', async () => {
    const { comet } = makeComet({ packetRate: 100, onMessage: () => new Promise(() => {}) })
    const marks: WeakRef<object>[] = []
    await useAndLeave(comet, marks)
    const { setFlagsFromString } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    await new Promise(setImmediate)
    gc()
    assert.equal(marks.filter((mark) => mark.deref() !== undefined).length, 0)
  })
})

/** Lets 50 packets wait, and ends their session. Marks an object of each. */
async function useAndLeave(comet: Comet, marks: WeakRef<object>[]): Promise<void> {
  const alice = await connect(comet, 'alice')
  const { sid } = alice
  comet.receive({ sid, identity: 'alice', packet: send('never answered') })
  for (let index = 0; index < 50; index += 1) {
    const info = { index }
    marks.push(new WeakRef(info))
    comet.receive({ sid, identity: { uid: 'alice', info }, packet: send('x'.repeat(10_000)) }).catch(() => {})
  }
  await new Promise(setImmediate)
  alice.drop()
}
