import assert from 'node:assert/strict'
import { CometError, type Command, type Controller, type ControllerConnection } from '../../lib/index.ts'
import { PATIENCE_MS, scaled } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'

/** How long a node waits for one that never answers: long enough for one that does. */
const DEADLINE_MS = 250

/**
 * Defines tests of the promises of the Controller port. Every implementation must pass them.
 *
 * @param make called before each test, for a controller that no node has joined
 */
export function controllerContract(
  { describe, it, beforeEach, afterEach }: TestFramework,
  make: () => Controller | Promise<Controller>,
): void {
  describe('Controller contract', () => {
    let port: Controller
    const joined: ControllerConnection[] = []

    beforeEach(async () => {
      port = await make()
    })

    afterEach(async () => {
      for (const controller of joined.splice(0)) await controller.close()
    })

    function join(
      id: string,
      handle: (command: Command) => Promise<unknown>,
      namespace = 'test',
    ): ControllerConnection {
      const controller = port.join({ id, namespace, handle })
      joined.push(controller)
      return controller
    }

    const nothing = async () => null
    const never = () => new Promise<never>(() => {})

    it('carries a command to one node and its answer back', async () => {
      const a = join('a', nothing)
      join('b', async (command) => ({ got: command }))
      const command = { type: 'greet', deep: { list: [1, 'two', null] } }
      assert.deepEqual(await a.request('b', command, PATIENCE_MS), { got: command })
    })

    it('keeps the order of the commands of one sender', async () => {
      const got: unknown[] = []
      const a = join('a', nothing)
      join('b', async ({ number }) => got.push(number))
      const numbers = Array.from({ length: 50 }, (_, number) => number)
      await Promise.all(numbers.map((number) => a.request('b', { type: 'count', number }, PATIENCE_MS)))
      assert.deepEqual(got, numbers)
    })

    it('carries a rejection back with its code and message', async () => {
      const a = join('a', nothing)
      join('b', () => Promise.reject(new CometError('ROOM_REFUSED', 'Not you.')))
      await assert.rejects(a.request('b', { type: 'enter' }, PATIENCE_MS), {
        name: 'CometError',
        code: 'ROOM_REFUSED',
        message: 'Not you.',
      })
    })

    it('rejects with NO_SUCH_SESSION for a node that is not there, or has left', async () => {
      const a = join('a', nothing)
      const b = join('b', nothing)
      await assert.rejects(a.request('x', { type: 'any' }, PATIENCE_MS), { code: 'NO_SUCH_SESSION' })
      await b.close()
      await b.close()
      await assert.rejects(a.request('b', { type: 'any' }, PATIENCE_MS), { code: 'NO_SUCH_SESSION' })
    })

    it('rejects with OWNER_UNREACHABLE for a node that does not answer in time', async () => {
      const a = join('a', nothing)
      join('b', never)
      await assert.rejects(a.request('b', { type: 'any' }, scaled(DEADLINE_MS)), {
        code: 'OWNER_UNREACHABLE',
      })
    })

    it('broadcasts to every other node of the namespace, and returns the answers that came in time', async () => {
      const a = join('a', async () => 'a')
      join('b', async () => 'b')
      join('c', () => Promise.reject(new CometError('INTERNAL')))
      join('d', never)
      join('e', async () => 'e', 'other')
      assert.deepEqual(await a.broadcast({ type: 'any' }, scaled(DEADLINE_MS)), ['b'])
    })
  })
}
