import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { CometClient } from '../../client/index.ts'
import { nodeHttp, startApp } from '../support/apps.ts'
import { FaultyProxy } from '../support/faulty-proxy.ts'
import { scaled } from '../support/inbox.ts'
import { Random, SEED } from '../support/random.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

const MESSAGES = sampled(1_000, 60)

describe('CometClient.send, over connections that are cut anywhere', function () {
  this.timeout(scaled(sampled(600_000, 60_000)))

  it('has each message handled once, in order, and settles each promise with its own answer', async () => {
    const random = new Random()
    const handled: number[] = []
    let cuts = 0
    const onMessage = async ({ evt }: { evt: string }) => {
      handled.push(Number(evt))
      await sleep(random.int(0, 5))
      return { answer: Number(evt) }
    }
    const comet = { onMessage, retry: 1_000, heartbeatInterval: 200, packetRate: 1_000, offlineGrace: 60_000 }
    const app = await startApp(nodeHttp, { comet })
    const proxy = await FaultyProxy.to(app.port, random)
    const url = `http://127.0.0.1:${proxy.port}/comet?u=alice`
    const client = new CometClient(url, {
      sendTimeout: scaled(300_000),
      maxQueue: MESSAGES,
      minDelay: 20,
      maxDelay: 100,
    })
    try {
      await client.opened
      proxy.begin()
      const cutting = setInterval(() => {
        const sockets = Array.from(app.sockets)
        if (sockets.length === 0) return
        cuts += 1
        random.pick(sockets).destroy()
      }, 150)
      const sent = Array.from({ length: MESSAGES }, (_, index) => client.send(`${index}`))
      const answers = await Promise.all(sent)
      clearInterval(cutting)
      proxy.end()
      const expected = sent.map((_, index) => index)
      assert.deepEqual(
        answers,
        expected.map((answer) => ({ answer })),
        `COMET_TEST_SEED=${SEED}`,
      )
      assert.deepEqual(handled, expected, `COMET_TEST_SEED=${SEED}`)
      figure('faults', `${cuts} cuts by the server, and by a proxy ${JSON.stringify(proxy.faults)}`)
    } finally {
      await client.close()
      proxy.close()
      await app.close()
    }
  })
})
