import { setTimeout as sleep } from 'node:timers/promises'
import { type CometOptions, MemoryBroker } from '../../lib/index.ts'
import { Random, SEED } from '../support/random.ts'
import { Crowd, onlineUsers } from './crowd.ts'
import { memoryNode, type NodeHandle, observed } from './node-handle.ts'
import type { Observations, Step } from './observations.ts'
import { RoundRobin } from './round-robin.ts'

/** Three nodes in this process, on one MemoryBroker. A fourth, which no page is sent to, hears all activity. */
export class MemoryCluster {
  readonly nodes: readonly NodeHandle[]
  readonly proxy: RoundRobin
  readonly #witness: NodeHandle

  private constructor(nodes: readonly NodeHandle[], witness: NodeHandle, proxy: RoundRobin) {
    this.nodes = nodes
    this.#witness = witness
    this.proxy = proxy
    proxy.ports = nodes.map(({ port }) => port)
  }

  static async start(options: CometOptions): Promise<MemoryCluster> {
    const broker = new MemoryBroker()
    const { presence, controller } = broker
    const start = (name: string, activity: 'local' | 'cluster') =>
      memoryNode(name, { broker, presence, controller }, { ...options, activity })
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => start(name, 'local')))
    return new MemoryCluster(nodes, await start('witness', 'cluster'), await RoundRobin.start())
  }

  /** The record, which MemoryBroker does not keep: what the witness heard. */
  get record(): Step[] {
    const steps = new Map<string, Step & { transitions: Step['transitions'][number][] }>()
    for (const report of this.#witness.log) {
      if (report.is !== 'activity') continue
      const step = steps.get(report.time) ?? { transitions: [], isSaid: true }
      steps.set(report.time, step)
      step.transitions.push(report)
    }
    return Array.from(steps.values())
  }

  async close(): Promise<void> {
    await Promise.all([...this.nodes, this.#witness].map((node) => node.close()))
    this.proxy.close()
  }
}

/** Lets a crowd live on a MemoryCluster. */
export async function observeMemory(milliseconds: number, grace: number): Promise<Observations> {
  const cluster = await MemoryCluster.start({ offlineGrace: grace, heartbeatInterval: 200 })
  const { nodes, proxy } = cluster
  const crowd = new Crowd({
    url: proxy.url,
    random: new Random(SEED),
    nodes: () => nodes,
    grace,
    patience: 2_000,
  })
  try {
    await crowd.live(milliseconds)
    await crowd.settle()
    const { pages, published } = crowd
    // Until the graces are over of those who do not come back.
    await sleep(2 * grace)
    const online = await onlineUsers(nodes)
    return {
      nodes: nodes.map(observed),
      published,
      pages: pages.map((page) => page.observed),
      online,
      record: cluster.record,
      lostAt: [],
    }
  } finally {
    crowd.stop()
    await cluster.close()
  }
}
