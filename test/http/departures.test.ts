import assert from 'node:assert/strict'
import { nodeHttp, startApp } from '../support/apps.ts'
import {
  type GatedApp,
  leaveAfterHead,
  leaveBefore,
  leaveWhileWritten,
  leaveWithPacket,
  STAGES,
  startGatedApp,
} from '../support/departures.ts'
import '../support/process-guard.ts'

describe('A client that leaves', () => {
  let gated: GatedApp

  beforeEach(async () => {
    gated = await startGatedApp((options) => startApp(nodeHttp, options))
  })
  afterEach(async () => {
    await gated.app.close()
    assert.deepEqual(gated.app.errors, [])
  })

  for (const stage of STAGES) {
    it(`leaves nothing behind when it goes before ${stage} has answered`, () => leaveBefore(stage, gated))
  }

  it('leaves nothing behind when it goes right after the head of the response', () => leaveAfterHead(gated))

  it('leaves nothing behind when it goes while large events are on their way', () => leaveWhileWritten(gated))

  it('has sent a packet in vain when it goes before identify has answered', () => leaveWithPacket(gated))
})
