import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CometOptions } from '../../lib/index.ts'
import { scaled, until } from '../support/inbox.ts'
import { NatsServer } from '../support/nats-server.ts'
import type { Random } from '../support/random.ts'
import { RedisServer } from '../support/redis-server.ts'
import { checkRecord } from './check-presence.ts'
import { judge } from './checker.ts'
import type { NodeState } from './cluster-node.ts'
import { type Crowd, onlineUsers } from './crowd.ts'
import { NodeProcess, observed } from './node-handle.ts'
import { type Observations, timeNow } from './observations.ts'
import { readRecord } from './record.ts'
import { RoundRobin } from './round-robin.ts'
import { ServerPath } from './server-path.ts'

export interface ClusterSettings {
  readonly nodes?: number
  /** Whether JetStream carries the events, in place of Redis. Default: no. */
  readonly jetstream?: boolean
  readonly options?: CometOptions
  /** In milliseconds. */
  readonly lease?: number
  readonly random: Random
}

/** A place for a node: its paths stay when the node is started anew. */
export interface Slot {
  readonly name: string
  /** To Redis. */
  readonly path: ServerPath
  /** To nats-server, where there is one. */
  readonly natsPath: ServerPath | undefined
  node: NodeProcess
  /** How often a node was started here. */
  runs: number
}

/** Nodes in processes of their own, each with its own path to one Redis, and to one NATS if there is one, behind a proxy that sends nobody to the same node twice. */
export class Cluster {
  readonly redis: RedisServer
  readonly nats: NatsServer | undefined
  readonly proxy: RoundRobin
  readonly slots: readonly Slot[]
  /** When Redis lost data. */
  readonly lostAt: number[] = []
  readonly lease: number
  /** What was judged, for who looks into a failure. */
  observed: Observations | undefined
  /** All nodes so far. */
  readonly #nodes: NodeProcess[]
  readonly #options: CometOptions

  private constructor(
    parts: Pick<Cluster, 'redis' | 'nats' | 'proxy' | 'slots'>,
    { lease, options }: { lease: number; options: CometOptions },
  ) {
    this.redis = parts.redis
    this.nats = parts.nats
    this.proxy = parts.proxy
    this.slots = parts.slots
    this.lease = lease
    this.#options = options
    this.#nodes = this.slots.map(({ node }) => node)
    this.#route()
  }

  static async start(test: Mocha.Context, settings: ClusterSettings): Promise<Cluster> {
    const { nodes = 3, jetstream = false, options = {}, lease = 1_500, random } = settings
    const nats = jetstream ? await NatsServer.start(test, { jetstream }) : undefined
    // What Redis has written survives its process, also where the disk has not got it.
    const redis = await RedisServer.start(test, { appendOnly: true, args: ['--appendfsync', 'no'] })
    try {
      const slots = await Promise.all(
        Array.from({ length: nodes }, async (_, index): Promise<Slot> => {
          const name = `node-${index}`
          const path = await ServerPath.to(redis.port)
          const natsPath = nats === undefined ? undefined : await ServerPath.to(nats.port)
          const library = random.chance(0.5) ? 'redis' : 'ioredis'
          const ports = { redis: path.port, nats: natsPath?.port }
          const node = await NodeProcess.start(name, { options, ...ports, library, lease })
          return { name, path, natsPath, node, runs: 1 }
        }),
      )
      return new Cluster({ redis, nats, slots, proxy: await RoundRobin.start() }, { lease, options })
    } catch (error) {
      await redis.stop()
      await nats?.stop()
      throw error
    }
  }

  /** The nodes that have not been killed. */
  get nodes(): readonly NodeProcess[] {
    return this.slots.map(({ node }) => node).filter(({ killedAt }) => killedAt === undefined)
  }

  /** Starts a node where one was killed. */
  async restart(slot: Slot): Promise<void> {
    const { name, path, natsPath, node } = slot
    const settings = {
      options: this.#options,
      redis: path.port,
      nats: natsPath?.port,
      library: 'redis',
      lease: this.lease,
    } as const
    slot.node = await NodeProcess.start(`${name}.${slot.runs}`, {
      ...settings,
      options: { ...this.#options, activity: node.activity },
    })
    slot.runs += 1
    this.#nodes.push(slot.node)
    this.#route()
  }

  /** Stores a copy of what Redis has on its disk. @returns kills Redis, and starts it with the copy */
  async copyData(): Promise<() => Promise<void>> {
    const copy = `${this.redis.folder}-copy`
    const folder = join(this.redis.folder, 'appendonlydir')
    await cp(folder, copy, { recursive: true })
    return async () => {
      await this.redis.kill()
      this.lostAt.push(timeNow())
      await rm(folder, { recursive: true })
      await cp(copy, folder, { recursive: true })
      await rm(copy, { recursive: true })
      await this.redis.restart()
    }
  }

  /** Kills Redis, and starts it without its data. */
  async loseData(): Promise<void> {
    await this.redis.kill()
    this.lostAt.push(timeNow())
    await rm(join(this.redis.folder, 'appendonlydir'), { recursive: true })
    await this.redis.restart()
  }

  /** Settles when every node reaches Redis. */
  async calm(): Promise<void> {
    const down = async () => {
      const states = await Promise.all(
        this.nodes.map((node) => node.ask({ do: 'state' }) as Promise<NodeState>),
      )
      return states.filter(({ stats }) => Object.values(stats.ports).includes('down'))
    }
    await until(async () => (await down()).length === 0, 'all nodes up', scaled(20_000))
  }

  /**
   * Judges what happened so far, once all is calm. Sessions whose pages are gone end meanwhile.
   *
   * @returns what is wrong
   */
  async judge(crowd: Crowd): Promise<string[]> {
    await this.calm()
    await crowd.settle()
    const { record, online } = await this.#rest()
    const nodes = this.#nodes.map(observed)
    const { lostAt } = this
    const { pages, published } = crowd
    this.observed = { nodes, published, pages: pages.map((page) => page.observed), online, record, lostAt }
    return judge(this.observed)
  }

  /** Settles when the record rests, and its end is what the sessions are; or when that took too long. */
  async #rest(): Promise<Pick<Observations, 'record' | 'online'>> {
    const end = performance.now() + scaled(12_000)
    for (let known = -1; ; ) {
      const online = await onlineUsers(this.nodes)
      const record = await readRecord(this.redis.port)
      let differs = false
      checkRecord({ record, online }, (problem) => {
        differs ||= problem.startsWith('the record ends')
      })
      // Hooks hear a little later than the record has it.
      if ((!differs && known === record.length) || performance.now() > end) return { record, online }
      known = record.length
      await sleep(300)
    }
  }

  async close(): Promise<void> {
    for (const { path, natsPath } of this.slots) {
      path.heal()
      natsPath?.heal()
    }
    await Promise.all(this.nodes.map((node) => node.close()))
    this.proxy.close()
    for (const { path, natsPath } of this.slots) {
      path.close()
      natsPath?.close()
    }
    await this.redis.stop()
    await this.nats?.stop()
  }

  #route(): void {
    this.proxy.ports = this.slots.map(({ node }) => node.port)
  }
}
