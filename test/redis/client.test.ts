import assert from 'node:assert/strict'
import { connectionOf } from '../../adapters/redis/client.ts'
import { codeOf, isRefusal, type RedisConnection } from '../../adapters/redis/connection.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { NumberedCalls, numberedScript } from '../../adapters/redis/numbered-calls.ts'
import { Script } from '../../adapters/redis/script.ts'
import { Health } from '../../lib/ports/health.ts'
import { until } from '../support/inbox.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

for (const [name, make] of Object.entries(CLIENTS)) {
  describe(`connectionOf: ${name}`, () => {
    let server: RedisServer
    let app: TestClient
    let connection: RedisConnection

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())
    beforeEach(async () => {
      app = await make(server.port)
      connection = connectionOf(app.client)
      await until(() => connection.isReady)
    })
    afterEach(() => app.close())

    it('sends commands, and answers text, numbers and lists', async () => {
      assert.equal(await connection.send('k', ['SET', 'k', 'é\n\0']), 'OK')
      assert.equal(await connection.send('k', ['GET', 'k']), 'é\n\0')
      assert.equal(await connection.send('k', ['STRLEN', 'k']), 4)
      assert.equal(await connection.send('none', ['GET', 'none']), null)
      await connection.send('h', ['HSET', 'h', 'a', '1', 'b', '2'])
      assert.deepEqual(await connection.send('h', ['HGETALL', 'h']), ['a', '1', 'b', '2'])
      const script = new Script(`return {1, 'two', {false, 3}, redis.call('HGETALL', KEYS[1])}`)
      const expected = [1, 'two', [null, 3], ['a', '1', 'b', '2']]
      assert.deepEqual(await script.run(connection, ['h'], []), expected)
      assert.deepEqual(await script.run(connection, ['h'], []), expected)
    })

    it('tells what Redis refuses from what failed on the way', async () => {
      await connection.send('k', ['SET', 'k', 'text'])
      await assert.rejects(connection.send('k', ['HGET', 'k', 'f']), (error) => {
        assert.equal(codeOf(error), 'WRONGTYPE')
        return isRefusal(error)
      })
      await assert.rejects(
        new Script(`return redis.error_reply('STALE it is')`).run(connection, ['k'], []),
        (error) => isRefusal(error),
      )
    })

    it('gives up an answer that takes too long', async () => {
      const other = await connection.duplicate()
      const late = other.send('none', ['XREAD', 'BLOCK', '300', 'STREAMS', 'none', '$'], 50)
      await assert.rejects(late, /did not answer within 50 ms/)
      other.close()
      other.close()
      assert.equal(await connection.send('k', ['PING']), 'PONG')
    })

    it('does not end the client of the app', async () => {
      connection.close()
      assert.equal(await connection.send('k', ['PING']), 'PONG')
    })

    it('carries out a numbered call once, in order', async () => {
      const keys = new Keys('name{}space')
      const health = new Health(() => {})
      const append = numberedScript(`return '' .. redis.call('RPUSH', KEYS[3], ARGV[5])`)
      const list = keys.of('list')
      const calls = new NumberedCalls(connection, keys, 'node', 'test', health)
      const answers = await Promise.all(['a', 'b', 'c'].map((item) => calls.call(append, [list], [item])))
      assert.deepEqual(answers, ['1', '2', '3'])
      const late = (number: string) =>
        append.run(
          connection,
          [keys.calls, keys.callers, list],
          ['node:test', `${number}:0`, '0', '1000', 'x'],
        )
      assert.equal(await late('3'), '3')
      await assert.rejects(late('2'), /STALE/)
      assert.deepEqual(await connection.send(list, ['LRANGE', list, '0', '-1']), ['a', 'b', 'c'])
      await calls.close()
      assert.equal(await connection.send(keys.calls, ['EXISTS', keys.calls]), 0)
    })
  })
}
