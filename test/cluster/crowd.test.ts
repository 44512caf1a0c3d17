import assert from 'node:assert/strict'
import { scaled } from '../support/inbox.ts'
import { Random, SEED } from '../support/random.ts'
import { figure, sampled } from '../support/tier.ts'
import { Cluster } from './cluster.ts'
import { Crowd } from './crowd.ts'

const GRACE_MS = 1_000
const LIFE_MS = sampled(12_000, 6_000)
for (const jetstream of [false, true]) {
  describe(`A crowd on three processes${jetstream ? ', with JetStream' : ''}`, function () {
    /** How long crowds live one after the other, each with a seed of its own. In a sample only one does. */
    const ALL_LIVES_MS = sampled((jetstream ? 15 : 30) * 60_000, 0)
    this.timeout(scaled(ALL_LIVES_MS + 120_000))
    let cluster: Cluster | undefined
    let crowd: Crowd | undefined

    async function leave(): Promise<void> {
      crowd?.stop()
      await cluster?.close()
      crowd = undefined
      cluster = undefined
    }
    afterEach(leave)

    it('passes the checker', async function () {
      const deadline = performance.now() + ALL_LIVES_MS
      let [lives, events] = [0, 0]
      do {
        const seed = SEED + lives
        const random = new Random(seed)
        const options = { offlineGrace: GRACE_MS, heartbeatInterval: 200 }
        cluster = await Cluster.start(this, { random, options, jetstream })
        const { nodes, proxy } = cluster
        crowd = new Crowd({ url: proxy.url, random, nodes: () => nodes, grace: GRACE_MS, patience: 1_500 })
        await crowd.live(LIFE_MS)
        const problems = await cluster.judge(crowd)
        assert.deepEqual(problems, [], `COMET_TEST_SEED=${seed} makes the same choices again`)
        lives += 1
        events += crowd.published.length
        await leave()
      } while (performance.now() < deadline)
      figure('lives', `${lives}, with ${events} events`)
    })
  })
}
