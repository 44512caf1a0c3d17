import { setTimeout as sleep } from 'node:timers/promises'
import { UserActivityEvent } from '../../lib/index.ts'
import { scaled, until } from '../support/inbox.ts'
import type { Random } from '../support/random.ts'
import type { Cluster } from './cluster.ts'
import type { Crowd } from './crowd.ts'
import { timeNow } from './observations.ts'
import { Page } from './page.ts'

const { OFFLINE } = UserActivityEvent.Type

/** What a fault needs. */
export interface Trial {
  readonly cluster: Cluster
  readonly crowd: Crowd
  readonly random: Random
  /** Milliseconds. */
  readonly grace: number
  /** Tells faults of a kind apart. */
  readonly index: number
}

/** Does something to a cluster, and settles when that is over. */
export type Fault = (trial: Trial) => Promise<void>

/** Lets the crowd live for a moment before something happens to it. */
async function begin(crowd: Crowd): Promise<void> {
  await sleep(500)
  crowd.doubt()
}

/** How long after the kill of its only node each user was OFFLINE who did not come back, in milliseconds. */
export const offlineAfter: number[] = []

/**
 * A node is killed, and started again later. One user has its only page on this node, and does not come back: its OFFLINE
 * comes, and one hook says it.
 */
export const killNode: Fault = async ({ cluster, crowd, random, grace, index }) => {
  const slot = random.pick(cluster.slots)
  const uid = `lone-${index}`
  const settings = { uid, clientId: uid, rids: ['hut'], pause: () => 50, patience: 60_000 }
  const page = new Page(`http://127.0.0.1:${slot.node.port}/comet`, settings)
  await until(() => page.ready !== undefined, 'a page on the node', scaled(10_000))
  page.stop()
  crowd.doubt()
  await slot.node.kill()
  const killedAt = timeNow()
  // The logs are long, and looking through all of them would slow down the paths to Redis in this process.
  const lengths = new Map(cluster.nodes.map((node) => [node, node.log.length]))
  const said = () =>
    cluster.nodes.flatMap((node) =>
      node.log
        .slice(lengths.get(node))
        .filter((report) => report.is === 'activity' && report.uid === uid && report.type === OFFLINE),
    )
  const restarted = random.chance(0.5) ? cluster.restart(slot) : undefined
  await until(() => said().length > 0, `OFFLINE of ${uid}`, scaled(cluster.lease + grace + 20_000))
  offlineAfter.push((said()[0]?.at ?? 0) - killedAt)
  await restarted
  if (slot.node.killedAt !== undefined) await cluster.restart(slot)
}

/** A node stands still for longer than its lease, and goes on. */
export const stopNode: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  const { node } = random.pick(cluster.slots)
  node.stop()
  await sleep(cluster.lease * (1.2 + random.next()))
  node.resume()
  await sleep(500)
}

/** Redis is killed, and started with all that it has written. */
export const killRedis: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  await cluster.redis.kill()
  await sleep(random.int(0, 1_500))
  await cluster.redis.restart()
  await sleep(1_000)
}

/** Redis is killed, and started with an older copy of its data. */
export const restoreOlder: Fault = async ({ cluster, crowd }) => {
  await sleep(500)
  const copiedAt = timeNow()
  const restore = await cluster.copyData()
  await sleep(500)
  crowd.doubt(copiedAt)
  await restore()
  await sleep(2_000)
}

/** Redis is killed, and started without data. */
export const loseAll: Fault = async ({ cluster, crowd }) => {
  await sleep(1_000)
  crowd.doubt(timeNow())
  await cluster.loseData()
  await sleep(2_000)
}

/** One node's path to Redis takes long. */
export const delayPath: Fault = async ({ cluster, crowd, random }) => {
  const { path } = random.pick(cluster.slots)
  // Each way.
  const delay = random.pick([100, 100, 250])
  // The lease may end of a node that waits for Redis as long as for its renewal.
  if (2 * delay >= cluster.lease / 3) crowd.doubt()
  path.delay = delay
  await sleep(1_500)
  path.delay = 0
  await sleep(300)
}

/** One node's path to Redis breaks, or nothing comes through, for a short time or for longer than its lease. */
export const cutPath: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  const { path } = random.pick(cluster.slots)
  if (random.chance(0.5)) path.cut()
  else path.stall()
  await sleep(random.pick([100, 0.5 * cluster.lease, 1.8 * cluster.lease]))
  path.heal()
  await sleep(500)
}

/** The answers of Redis to one node are lost, and then its connections. */
export const swallowAnswers: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  const { path } = random.pick(cluster.slots)
  path.swallow()
  await sleep(random.int(20, 150))
  path.cut()
  await sleep(random.int(0, 200))
  path.heal()
  await sleep(500)
}

/** nats-server is killed, and started with all that its JetStream has. */
export const killNats: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  await cluster.nats?.kill()
  await sleep(random.int(0, 1_500))
  await cluster.nats?.restart()
  await sleep(1_000)
}

/** One node's path to nats-server breaks, or its answers are lost first. */
export const cutNats: Fault = async ({ cluster, crowd, random }) => {
  await begin(crowd)
  const { natsPath } = random.pick(cluster.slots)
  if (random.chance(0.5)) natsPath?.swallow()
  await sleep(random.int(0, 150))
  natsPath?.cut()
  await sleep(random.int(0, 1_500))
  natsPath?.heal()
  await sleep(500)
}
