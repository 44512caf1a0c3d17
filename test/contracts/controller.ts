import assert from 'node:assert/strict'
import { CometError, type Command, type Controller, type ControllerConnection } from '../../lib/index.ts'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import type { TestFramework } from './framework.ts'
import { controllerNode } from './handlers.ts'

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
      const controller = port.join(controllerNode(id, handle, namespace))
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

    it('carries a command to the node that asks', async () => {
      const a = join('a', async ({ number }) => number)
      assert.equal(await a.request('a', { type: 'any', number: 7 }, PATIENCE_MS), 7)
    })

    it('tells every node of the namespace a command, the one that tells it included', async () => {
      const got: string[] = []
      const note = (id: string) => async (command: Command) => void got.push(`${id} ${command.number}`)
      const a = join('a', note('a'))
      join('b', note('b'))
      join('c', async (command) => {
        await note('c')(command)
        throw new CometError('INTERNAL')
      })
      join('e', note('e'), 'other')
      await a.tell({ type: 'any', number: 1 })
      assert.ok(got.includes('a 1'), 'it was told when the call has settled')
      await a.tell({ type: 'any', number: 2 })
      await until(() => got.length === 6)
      assert.deepEqual(got.sort(), ['a 1', 'a 2', 'b 1', 'b 2', 'c 1', 'c 2'])
    })

    it('keeps the order of what one sender tells all nodes and what it asks of one', async () => {
      const got: unknown[] = []
      const a = join('a', nothing)
      join('b', async ({ number }) => got.push(number))
      for (let number = 0; number < 40; number += 2) {
        await a.tell({ type: 'count', number })
        await a.request('b', { type: 'count', number: number + 1 }, PATIENCE_MS)
      }
      assert.deepEqual(
        got,
        Array.from({ length: 40 }, (_, number) => number),
      )
    })

    it('tells for a process that takes no commands', async () => {
      const got: unknown[] = []
      join('b', async ({ number }) => got.push(number))
      const publisher = port.join({ ...controllerNode('p', () => assert.fail()), receives: false })
      joined.push(publisher)
      await publisher.tell({ type: 'any', number: 3 })
      await until(() => got.length === 1)
      const b = join('c', nothing)
      await assert.rejects(b.request('p', { type: 'any' }, PATIENCE_MS), { code: 'NO_SUCH_SESSION' })
    })
  })
}
