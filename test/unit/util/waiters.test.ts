import assert from 'node:assert/strict'
import { Waiters } from '../../../lib/util/waiters.ts'

describe('Waiters', () => {
  it('wait until what they wait for has come, each once', async () => {
    const waiters = new Waiters<number>()
    const log: number[] = []
    const all = [3, 1, 2].map(async (item) => {
      await waiters.wait(item, 60_000)
      log.push(item)
    })
    waiters.end((item) => item <= 2)
    await Promise.all(all.slice(1))
    assert.deepEqual(log, [1, 2])
    waiters.end(() => true)
    await Promise.all(all)
    assert.deepEqual(log, [1, 2, 3])
  })

  it('wait no longer than their time', async () => {
    const waiters = new Waiters<string>()
    const start = performance.now()
    await waiters.wait('never', 30)
    assert.ok(performance.now() - start >= 29)
    waiters.end(() => assert.fail('nobody waits any more'))
  })
})
