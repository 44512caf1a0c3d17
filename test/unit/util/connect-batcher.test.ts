import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import FakeTimers from '@sinonjs/fake-timers'
import { ConnectBatcher } from '../../../lib/util/connect-batcher.ts'

describe('ConnectBatcher', () => {
  /** Time passes only when a test says so. Turns of the event loop are real. */
  let clock: FakeTimers.Clock
  let batcher: ConnectBatcher
  /** The clients that have continued, with the turn of the event loop in which they did. */
  let continued: { client: number; turn: number }[]
  let turns: number

  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance'] })
    batcher = new ConnectBatcher()
    continued = []
    turns = 0
  })
  afterEach(() => clock.uninstall())

  async function join(client: number): Promise<void> {
    await batcher.join()
    continued.push({ client, turn: turns })
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
    assert.deepEqual(continued, [])
    await pass(1)
    assert.equal(continued.length, 1)
  })

  it('lets clients that arrive in quick succession continue in one turn, in their order', async () => {
    for (let client = 0; client < 10; client += 1) {
      join(client)
      await pass(2)
      assert.deepEqual(continued, [])
    }
    await pass(1)
    assert.deepEqual(
      continued.map(({ client }) => client),
      Array.from({ length: 10 }, (_, client) => client),
    )
    assert.equal(new Set(continued.map((each) => each.turn)).size, 1)
  })

  it('lets 32 clients continue although more arrive', async () => {
    for (let client = 0; client < 33; client += 1) {
      join(client)
      await pass(1)
    }
    assert.equal(continued.length, 32)
    await pass(3)
    assert.equal(continued.length, 33)
  })

  it('delays no client by more than 5 ms, although others arrive in every turn', async () => {
    for (let ms = 0; ms < 5; ms += 1) {
      join(ms)
      await pass(1)
      assert.deepEqual(continued, [])
      clock.tick(1)
    }
    join(5)
    await pass(1)
    assert.equal(continued.length, 6)
  })
})
