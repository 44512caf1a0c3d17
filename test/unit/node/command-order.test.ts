import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { CommandOrder } from '../../../lib/node/command-order.ts'

describe('CommandOrder', () => {
  it('lets a command wait for events, and those of the same sender that come after it', async () => {
    const order = new CommandOrder()
    const log: string[] = []
    let reached = () => {}
    const reach = () =>
      new Promise<void>((resolve) => {
        reached = resolve
      })
    const run = async (sender: string, name: string, wait?: () => Promise<void>) => {
      const mine = order.turnOf(sender, wait)
      if (mine !== undefined) await mine
      log.push(name)
    }
    const all = [run('a', 'a1'), run('a', 'a2', reach), run('a', 'a3'), run('b', 'b1'), run('a', 'a4')]
    await turn()
    assert.deepEqual(log, ['a1', 'b1'])
    reached()
    await Promise.all(all)
    assert.deepEqual(log, ['a1', 'b1', 'a2', 'a3', 'a4'])
    assert.equal(order.turnOf('a', undefined), undefined)
  })
})
