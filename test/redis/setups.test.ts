import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { redisCluster } from '../../adapters/redis/index.ts'
import { explain } from '../../adapters/redis/refusals.ts'
import { brokerContract } from '../contracts/broker.ts'
import { controllerContract } from '../contracts/controller.ts'
import { brokerNode } from '../contracts/handlers.ts'
import { presenceContract } from '../contracts/presence.ts'
import { makeCertificate } from '../support/certificate.ts'
import { scaled, until } from '../support/inbox.ts'
import { freePort } from '../support/nginx.ts'
import type { TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import { sampled } from '../support/tier.ts'
import { collectWarnings } from '../support/warnings.ts'
import '../support/process-guard.ts'

/** How an app is let in. */
interface Access {
  readonly port: number
  readonly username?: string
  readonly password?: string
  readonly tls?: { readonly ca: Buffer; readonly key?: Buffer; readonly cert?: Buffer }
}

type Make = (access: Access) => Promise<TestClient>

const LIBRARIES: Readonly<Record<string, Make>> = {
  redis: async ({ port, tls, ...user }) => {
    const place = { host: '127.0.0.1', port, reconnectStrategy: 20 }
    const client = createClient({
      ...user,
      socket: tls === undefined ? place : { ...place, tls: true, ...tls },
    })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.isOpen && client.destroy() }
  },
  ioredis: async ({ tls, ...access }) => {
    // Its check asks for INFO, for which it warns where that is not permitted.
    const options = { ...access, host: '127.0.0.1', enableReadyCheck: false, retryStrategy: () => 20 }
    const client = new Redis(tls === undefined ? options : { ...options, tls })
    client.on('error', () => {})
    return { client, close: () => client.disconnect() }
  },
}

/** Runs the contract of each port. */
function contracts(libraries: readonly string[], setup: () => { server: RedisServer; access: Access }): void {
  for (const library of libraries) {
    describe(library, () => {
      let app: TestClient

      beforeEach(async () => {
        const { server, access } = setup()
        await server.flush()
        app = await (LIBRARIES[library] as Make)(access)
      })
      afterEach(() => app?.close())

      const framework = { describe, it, beforeEach, afterEach }
      brokerContract(framework, () => redisCluster(app.client).broker)
      controllerContract(framework, () => redisCluster(app.client).controller)
      presenceContract(framework, async () => redisCluster(app.client).presence)
    })
  }
}

describe('Redis over TLS that asks for a certificate', function () {
  this.timeout(scaled(20_000))
  let server: RedisServer
  let folder: string | undefined
  let access: Access

  before(async function () {
    const [own, client] = [makeCertificate(this), makeCertificate(this)]
    folder = await mkdtemp(join(tmpdir(), 'comet-redis-tls-'))
    const path = (name: string) => join(folder as string, name)
    await writeFile(path('key.pem'), own.key)
    await writeFile(path('cert.pem'), own.cert)
    await writeFile(path('clients.pem'), client.cert)
    const port = await freePort()
    const files = ['key', 'cert'].flatMap((name) => [`--tls-${name}-file`, path(`${name}.pem`)])
    const clients = ['--tls-ca-cert-file', path('clients.pem'), '--tls-auth-clients', 'yes']
    server = await RedisServer.start(this, { args: ['--tls-port', String(port), ...files, ...clients] })
    access = { port, tls: { ca: own.cert, ...client } }
  })
  after(async () => {
    await server?.stop()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  contracts(sampled(['redis', 'ioredis'], ['redis']), () => ({ server, access }))

  it('is away for a client without one, whose app is told why', async () => {
    const { ca } = access.tls as { readonly ca: Buffer }
    const app = await (LIBRARIES.ioredis as Make)({ port: access.port, tls: { ca } })
    const errors: (Error | undefined)[] = []
    const { node } = brokerNode('a', 'n', { onStatus: ({ error }) => errors.push(error) })
    const broker = redisCluster(app.client).broker.join(node)
    await until(() => errors.length === 1)
    await broker.close()
    app.close()
  })
})

/** The commands that the adapter sends, or its scripts call. INFO is beside them, which it does without. */
const COMMANDS = [
  ...['del', 'eval', 'evalsha', 'exists', 'hdel', 'hexists', 'hget', 'hincrby', 'hmget', 'hset', 'hsetnx'],
  ...['lindex', 'lpop', 'pexpire', 'rpush', 'time', 'xadd', 'xinfo|stream', 'xrange', 'xread', 'xrevrange'],
  ...['xtrim', 'zadd', 'zcard', 'zcount', 'zrange', 'zrangebylex', 'zrangebyscore', 'zrem'],
  ...['zremrangebylex', 'zscore'],
]

describe('A user of Redis who may do little', function () {
  this.timeout(scaled(20_000))
  let server: RedisServer
  let admin: Redis

  before(async function () {
    server = await RedisServer.start(this, { args: ['--maxmemory-policy', 'allkeys-lru'] })
    admin = new Redis({ port: server.port, host: '127.0.0.1' })
    await allow('few', '~comet:*', ...COMMANDS.map((command) => `+${command}`))
  })
  after(async () => {
    admin?.disconnect()
    await server?.stop()
  })

  async function allow(name: string, ...rights: string[]): Promise<void> {
    await admin.call('acl', 'setuser', name, 'reset', 'on', '>secret', ...rights)
  }

  const accessOf = (username: string): Access => ({ port: server.port, username, password: 'secret' })

  contracts(sampled(['redis', 'ioredis'], ['ioredis']), () => ({ server, access: accessOf('few') }))

  it('needs no other command than those that are named', async () => {
    const folder = fileURLToPath(new URL('../../adapters/redis', import.meta.url))
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const found = new Set(['eval', 'evalsha'])
    for (const name of names) {
      const text = await readFile(join(folder, name), 'utf8')
      for (const [, command = ''] of text.matchAll(/\b(?:call\(|send\([^[\n]*\[)'([A-Z]+)'/g)) {
        found.add(command.toLowerCase())
      }
      for (const [, command = ''] of text.matchAll(/'(XREAD|XRANGE)'/g)) found.add(command.toLowerCase())
    }
    found.delete('xinfo')
    found.add('xinfo|stream')
    assert.deepEqual(Array.from(found).sort(), COMMANDS)
  })

  it('gets by with the rights that an error advises, and hears of the policy only with INFO', async () => {
    const [, advised = ''] = explain(new Error('NOPERM no')).message.split('Allow it: ')
    const warningsWith = async (rights: readonly string[]) => {
      await allow('advised', ...rights)
      const app = await (LIBRARIES.redis as Make)(accessOf('advised'))
      const warnings = await collectWarnings(async () => {
        const { node, got } = brokerNode('a', 'advised')
        const broker = redisCluster(app.client).broker.join(node)
        await broker.ready
        await broker.publish({ to: {}, data: 'x' })
        assert.equal(got.length, 1)
        await broker.close()
      })
      app.close()
      return warnings.filter((text) => text.includes('maxmemory-policy')).length
    }
    const rights = advised.split(' ')
    assert.equal(await warningsWith(rights), 1)
    assert.equal(await warningsWith(rights.filter((right) => right !== '+info')), 0)
  })

  for (const missing of ['xadd', 'evalsha', 'xread']) {
    it(`is told what to change where one is missing: ${missing}`, async () => {
      const rights = COMMANDS.filter((command) => command !== missing).map((command) => `+${command}`)
      await allow('fewer', '~comet:*', ...rights)
      const app = await (LIBRARIES.redis as Make)(accessOf('fewer'))
      const errors: (Error | undefined)[] = []
      const { node } = brokerNode('a', `without ${missing}`, { onStatus: ({ error }) => errors.push(error) })
      const broker = redisCluster(app.client).broker.join(node)
      await until(() => errors.length === 1)
      assert.match(String(errors[0]?.message), /^The user of the Redis client .* Allow it: ~comet:\* /)
      await broker.close()
      app.close()
    })
  }
})
