import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import { redisCluster } from '../../adapters/redis/index.ts'
import type { Comet } from '../../lib/index.ts'
import { closeComets, connect, makeComet } from '../support/comets.ts'
import { scaled, until } from '../support/inbox.ts'
import { RedisServer } from '../support/redis-server.ts'
import { figure } from '../support/tier.ts'

/** What a call costs. */
interface Cost {
  /** The commands, answers and events that nodes sent to each other, each of which is an entry of a stream. */
  readonly messages: number
  /** How often presence was asked about the user, or told something. */
  readonly presence: number
}

describe('What a call about a user sends, in a cluster of many nodes', function () {
  this.timeout(scaled(60_000))
  let server: RedisServer
  let client: Redis
  let monitor: Redis
  /** The commands about the user, but not those of scripts. */
  let commands: string[][] = []

  before(async function () {
    server = await RedisServer.start(this)
    client = new Redis({ port: server.port, host: '127.0.0.1' })
    monitor = await client.monitor()
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source !== 'lua' && args.includes('alice')) commands.push(args)
    })
  })
  after(async () => {
    monitor?.disconnect()
    client?.disconnect()
    await server?.stop()
  })
  afterEach(closeComets)

  async function start(size: number, namespace: string): Promise<Comet[]> {
    const ports = () => redisCluster(client, { lease: 60_000 })
    const comets = Array.from({ length: size }, () => makeComet({ ...ports(), namespace }).comet)
    await Promise.all(comets.map(({ ready }) => ready))
    return comets
  }

  async function messagesOf(namespace: string): Promise<number> {
    const prefix = `comet:{${namespace}}:`
    const inboxes = await client.keys(`${prefix}inbox:*`)
    let count = 0
    for (const key of [`${prefix}events`, ...inboxes]) {
      const about = (await client.xinfo('STREAM', key)) as unknown[]
      count += Number(about[about.indexOf('entries-added') + 1])
    }
    return count
  }

  /** Settles when no node does anything any more for the call before. */
  async function rest(comets: readonly Comet[]): Promise<void> {
    // When a node has read what it published, it has read what came before.
    await Promise.all(comets.map((comet) => comet.publish({ uid: 'nobody', evt: '' })))
    await Promise.all(comets.map((comet) => comet.isOnline('nobody')))
    let isSeen = false
    const see = (_time: string, args: string[]) => {
      isSeen ||= args.includes('all until here')
    }
    monitor.on('monitor', see)
    await client.echo('all until here')
    await until(() => isSeen, 'all commands')
    monitor.off('monitor', see)
  }

  /** Measures calls about a user who is on some of the nodes, made on one where the user is not. */
  async function measure(size: number, nodesOfUser: number): Promise<Record<string, Cost>> {
    const namespace = `on-${nodesOfUser}-of-${size}`
    const comets = await start(size, namespace)
    const caller = comets.at(-1) as Comet
    for (const comet of comets.slice(0, nodesOfUser)) await connect(comet, 'alice')
    const costs: Record<string, Cost> = {}
    const cost = async (name: string, call: () => Promise<unknown>) => {
      await rest(comets)
      const before = await messagesOf(namespace)
      commands = []
      const answer = await call()
      const messages = (await messagesOf(namespace)) - before
      await rest(comets)
      const presence = commands.flat().filter((arg) => arg === 'alice').length
      costs[name] = { messages, presence }
      return answer
    }
    assert.equal(await cost('enter', () => caller.enter({ uid: 'alice' }, 'den')), true)
    assert.equal(await cost('leave', () => caller.leave({ uid: 'alice' }, 'den')), true)
    assert.equal(await cost('disconnect', () => caller.disconnect({ uid: 'alice' })), nodesOfUser)
    await closeComets()
    return costs
  }

  it('depends on the nodes of the user, and not on the others', async () => {
    for (const nodesOfUser of [1, 4]) {
      const [few, many] = [await measure(5, nodesOfUser), await measure(20, nodesOfUser)]
      assert.deepEqual(many, few)
      for (const { messages } of Object.values(many)) assert.ok(messages <= 1 + 2 * nodesOfUser)
      figure(`on ${nodesOfUser} of 20 nodes`, JSON.stringify(many))
    }
  })
})
