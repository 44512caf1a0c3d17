import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { ConnectBatcher } from '../../../lib/util/connect-batcher.ts'

describe('ConnectBatcher', () => {
  let connectBatcher: ConnectBatcher
  /** Who has gone on, and in which turn of the event loop. */
  let gone: { who: number; turn: number }[]
  let turns: number

  beforeEach(() => {
    connectBatcher = new ConnectBatcher()
    gone = []
    turns = 0
  })

  async function join(who: number): Promise<void> {
    await connectBatcher.join()
    gone.push({ who, turn: turns })
  }

  async function pass(count: number): Promise<void> {
    for (let passed = 0; passed < count; passed += 1) {
      await turn()
      turns += 1
    }
  }

  it('lets a lone client continue after two turns', async () => {
    join(0)
    await pass(2)
    assert.deepEqual(gone, [])
    await pass(1)
    assert.equal(gone.length, 1)
  })

  it('lets clients that arrive in quick succession continue in one turn, in their order', async () => {
    for (let who = 0; who < 10; who += 1) {
      join(who)
      await pass(2)
      assert.deepEqual(gone, [])
    }
    await pass(1)
    assert.deepEqual(
      gone.map(({ who }) => who),
      Array.from({ length: 10 }, (_, who) => who),
    )
    assert.equal(new Set(gone.map(({ turn }) => turn)).size, 1)
  })

  it('lets 32 clients continue although more arrive', async () => {
    for (let who = 0; who < 33; who += 1) {
      join(who)
      await pass(1)
    }
    assert.equal(gone.length, 32)
    await pass(3)
    assert.equal(gone.length, 33)
  })

  it('delays no client by more than 5 ms, although others arrive in every turn', async () => {
    join(0)
    const end = performance.now() + 5
    for (let who = 1; performance.now() <= end; who += 1) if (who < 30) join(who)
    await pass(1)
    assert.equal(gone.length, 30)
  })
})
