import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNode } from '../support/redis-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const CUTS = 20

for (const library of ['redis 6, RESP 3', 'redis 5, RESP 2', 'ioredis 6, RESP 3', 'ioredis 5, RESP 2']) {
  describe(`Answers of Redis that are lost: ${library}`, function () {
    this.timeout(scaled(60_000))
    let server: RedisServer
    let proxy: RedisProxy
    let namespace = 0

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())
    beforeEach(async () => {
      namespace += 1
      proxy = await RedisProxy.to(server.port)
    })
    afterEach(async () => {
      await closeNodes()
      proxy.close()
    })

    it('do not double, drop or reorder events', async () => {
      const a = await joinNode(proxy.port, 'a', `${namespace}`, { library })
      const b = await joinNode(server.port, 'b', `${namespace}`)
      await Promise.all([a.broker.ready, b.broker.ready])
      const texts: string[] = []
      const published: Promise<void>[] = []
      let isOver = false
      const cuts = (async () => {
        for (let count = 0; count < CUTS; count += 1) {
          await proxy.loseAnswer()
          const seen = a.got.length
          await until(() => a.got.length > seen)
        }
        isOver = true
      })()
      while (!isOver) {
        for (let count = 0; count < 10; count += 1) {
          texts.push(String(texts.length))
          published.push(a.publish(texts.at(-1) as string))
          published.at(-1)?.catch(() => {})
        }
        await sleep(2)
      }
      await cuts
      await Promise.all(published)
      await until(() => a.got.length >= texts.length && b.got.length >= texts.length)
      assert.deepEqual(b.texts(), texts)
      assert.deepEqual(a.texts(), texts)
      assert.deepEqual(
        a.got.map(({ position }) => position),
        b.got.map(({ position }) => position),
      )
      assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
      assert.ok(proxy.lost >= CUTS && texts.length > CUTS)
      assert.deepEqual(b.statuses, [])
    })

    it('do not double, drop or reorder commands', async () => {
      const a = await joinNode(proxy.port, 'a', `${namespace}`, { library })
      const got: unknown[] = []
      const b = await joinNode(server.port, 'b', `${namespace}`, {
        handle: async ({ number }) => {
          got.push(number)
          return number
        },
      })
      await Promise.all([a.broker.ready, b.broker.ready])
      const answers: Promise<unknown>[] = []
      for (let number = 0; number < CUTS; number += 1) {
        const lost = proxy.loseAnswer()
        answers.push(a.controller.request('b', { type: 'count', number }, 4 * PATIENCE_MS))
        await lost
      }
      const numbers = Array.from({ length: CUTS }, (_, number) => number)
      assert.deepEqual(await Promise.all(answers), numbers)
      assert.deepEqual(got, numbers)
    })
  })
}
