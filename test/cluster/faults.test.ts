import assert from 'node:assert/strict'
import { scaled } from '../support/inbox.ts'
import { Random, SEED } from '../support/random.ts'
import { figure, isSoak, sampled } from '../support/tier.ts'
import { Cluster } from './cluster.ts'
import { Crowd } from './crowd.ts'
import {
  cutNats,
  cutPath,
  delayPath,
  type Fault,
  killNats,
  killNode,
  killRedis,
  loseAll,
  offlineAfter,
  restoreOlder,
  stopNode,
  swallowAnswers,
} from './faults.ts'

const GRACE_MS = 1_500
/** After so many faults another cluster is started: what was seen of one grows, and all of it is judged each time. */
const FAULTS_OF_CLUSTER = 5

describe('A cluster on Redis', function () {
  this.timeout(sampled(1_800_000, 120_000))
  const random = new Random(SEED)
  let cluster: Cluster
  let crowd: Crowd

  let jetstream = false

  const start = async (test: Mocha.Context) => {
    const options = { offlineGrace: GRACE_MS, heartbeatInterval: 200, commandTimeout: 2_000 }
    cluster = await Cluster.start(test, { random, options, jetstream })
    const url = cluster.proxy.url
    crowd = new Crowd({ url, random, nodes: () => cluster.nodes, grace: GRACE_MS, patience: 1_200 })
  }
  const stop = async () => {
    crowd?.stop()
    await cluster?.close()
  }

  const survives = async (test: Mocha.Context, fault: Fault, times: number) => {
    for (let index = 0; index < times; index += 1) {
      if (index > 0 && index % FAULTS_OF_CLUSTER === 0) {
        await stop()
        await start(test)
      }
      await crowd.liveWhile(() => fault({ cluster, crowd, random, grace: GRACE_MS, index }))
      assert.deepEqual(await cluster.judge(crowd), [], `time ${index}, ${JSON.stringify(crowd.counts)}`)
    }
    figure('acts', JSON.stringify(crowd.counts))
  }

  describe('that keeps its data', () => {
    before(function () {
      return start(this)
    })
    after(stop)

    it('bears that a path to Redis is slow', function () {
      return survives(this, delayPath, sampled(20, 1))
    })
    it('bears that a path to Redis is cut', function () {
      return survives(this, cutPath, sampled(20, 1))
    })
    it('bears that answers of Redis are lost', function () {
      return survives(this, swallowAnswers, sampled(20, 1))
    })
    it('bears that a node is killed', async function () {
      await survives(this, killNode, sampled(20, 1))
      const times = offlineAfter.toSorted((one, two) => one - two).map(Math.round)
      const median = times[times.length >> 1] ?? 0
      const limit = cluster.lease + GRACE_MS + 1_000
      figure('OFFLINE after a kill', `${median} ms in the middle, ${times.at(-1)} ms at most, of ${limit} ms`)
      // A single one says more about a busy machine.
      if (isSoak) assert.ok(median <= scaled(limit))
    })
    it('bears that a node stands still', function () {
      return survives(this, stopNode, sampled(10, 1))
    })
    it('bears that Redis is killed', function () {
      return survives(this, killRedis, sampled(10, 1))
    })
  })

  describe('that loses data', () => {
    beforeEach(function () {
      return start(this)
    })
    afterEach(stop)

    it('tells every page when Redis comes back with older data', function () {
      return survives(this, restoreOlder, sampled(5, 1))
    })
    it('tells every page when Redis comes back without data', function () {
      return survives(this, loseAll, sampled(5, 1))
    })
  })
  describe('whose events go by JetStream', () => {
    before(function () {
      jetstream = true
      return start(this)
    })
    after(async () => {
      jetstream = false
      await stop()
    })

    it('bears that nats-server is killed', function () {
      return survives(this, killNats, sampled(20, 1))
    })
    it('bears that a path to nats-server is cut, and answers are lost', function () {
      return survives(this, cutNats, sampled(20, 1))
    })
    it('bears that a node is killed', function () {
      return survives(this, killNode, sampled(10, 1))
    })
    it('bears that a node stands still', function () {
      return survives(this, stopNode, sampled(5, 1))
    })
    it('bears that Redis is killed', function () {
      return survives(this, killRedis, sampled(5, 1))
    })
  })
})
