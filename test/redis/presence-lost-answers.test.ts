import assert from 'node:assert/strict'
import { connectionOf } from '../../adapters/redis/client.ts'
import { PRESENCE_KEYS, SCRIPT } from '../../adapters/redis/presence-node.ts'
import type { SessionConnection } from '../../lib/index.ts'
import { assertActivityRules, show } from '../support/activity-rules.ts'
import { scaled, until } from '../support/inbox.ts'
import { closePresence, joinPresence } from '../support/presence-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const CUTS = 20
const USERS = 1_000

for (const library of ['redis 6, RESP 3', 'redis 5, RESP 2', 'ioredis 6, RESP 3', 'ioredis 5, RESP 2']) {
  describe(`RedisPresence: answers that are lost: ${library}`, function () {
    this.timeout(scaled(60_000))
    let server: RedisServer
    let proxy: RedisProxy

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())
    beforeEach(async () => {
      await server.flush()
      proxy = await RedisProxy.to(server.port)
    })
    afterEach(async () => {
      await closePresence()
      proxy.close()
    })

    it('double no step, and leave none unheard', async () => {
      const a = await joinPresence(proxy.port, 'a', 'test', { library })
      const b = await joinPresence(server.port, 'b', 'test', { activity: 'cluster' })
      const cuts = (async () => {
        for (let count = 0; count < CUTS; count += 1) {
          await proxy.loseAnswer()
          const before = a.events.length
          await until(() => a.events.length > before || isOver)
        }
      })()
      let isOver = false
      const sessions: SessionConnection[] = []
      for (let user = 0; user < USERS; user += 10) {
        const some = Array.from({ length: 10 }, (_, at) =>
          a.connect(`user-${user + at}`, ['den', `room-${at}`]),
        )
        sessions.push(...(await Promise.all(some)))
      }
      for (const session of sessions) await a.presence.enter(session, 'hall', 'join')
      await Promise.all(sessions.map((session) => a.drop(session, 0)))
      isOver = true
      await Promise.race([cuts, until(() => proxy.lost >= CUTS)])
      assert.equal(a.events.length, USERS * 8)
      assertActivityRules(a.events)
      await until(() => b.events.length >= a.events.length)
      assert.deepEqual(b.events.map(show), a.events.map(show))
      assert.equal(await b.presence.count('den'), 0)
      assert.ok(proxy.lost >= CUTS, `${proxy.lost}`)
      assert.deepEqual(a.takenOver, [])
    })
  })
}

describe('RedisPresence: a call that is repeated', () => {
  let server: RedisServer

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  afterEach(closePresence)

  it('gets the answer that it had, but with the time of now', async () => {
    const now = 1_700_000_000_000
    const a = await joinPresence(server.port, 'a', 'test', { now: () => now })
    await a.connect('alice', ['den'])
    const later = `${(now + 5_000) * 1_000}`
    const args = ['a', '1', 'another attempt', '', later, '0', later, '']
    const keys = PRESENCE_KEYS.map((name) => a.keys.of(name))
    const answer = (await SCRIPT.run(connectionOf(a.app.client), keys, args)) as readonly string[]
    assert.deepEqual(answer.slice(0, 2), ['DONE', later])
    assert.equal(await a.presence.count('den'), 1)
  })
})
