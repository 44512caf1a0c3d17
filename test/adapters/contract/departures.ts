import { takeFailures } from '../../support/apps.ts'
import {
  type GatedApp,
  leaveAfterHead,
  leaveBefore,
  leaveWhileWritten,
  leaveWithPacket,
  STAGES,
  startGatedApp,
} from '../../support/departures.ts'
import { parsersOf } from '../../support/parsers.ts'
import type { Contract } from './part.ts'

/** Clients that go, in every phase. */
export function departures({ adapter, start }: Contract): void {
  describe('A client that leaves', () => {
    /** Once behind nothing, and once behind a body parser, which touches every request. */
    const behindEach = async (act: (gated: GatedApp) => Promise<void>) => {
      for (const { before } of parsersOf(adapter).slice(0, 2)) {
        await act(await startGatedApp((options) => start({ ...options, before })))
      }
    }

    it(`leaves nothing behind when it goes before ${STAGES.join(', ')} has answered`, async () => {
      for (const stage of STAGES) await behindEach((gated) => leaveBefore(stage, gated))
    })

    it('leaves nothing behind when it goes right after the head of the response', () =>
      behindEach(leaveAfterHead))

    it('leaves nothing behind when it goes while large events are on their way', () =>
      behindEach(async (gated) => {
        await leaveWhileWritten(gated)
        // Koa emits by itself that a write failed.
        if (adapter.kind === 'koa') takeFailures(gated.app)
      }))

    it('has sent a packet in vain when it goes before identify has answered', () =>
      behindEach(leaveWithPacket))
  })
}
