import assert from 'node:assert/strict'
import { CometError, type Command, type Controller, type ControllerConnection } from '../../lib/index.ts'

/** The promises of the Controller port, to be run over every implementation. */
export function controllerContract(name: string, make: () => Controller | Promise<Controller>): void {
  describe(`Controller contract: ${name}`, () => {
    let controller: Controller
    const links: ControllerConnection[] = []

    beforeEach(async () => {
      controller = await make()
    })

    afterEach(async () => {
      for (const link of links.splice(0)) await link.close()
    })

    function join(
      id: string,
      handle: (command: Command) => Promise<unknown>,
      namespace = 'test',
    ): ControllerConnection {
      const link = controller.join({ id, namespace, handle })
      links.push(link)
      return link
    }

    const nothing = async () => null
    const never = () => new Promise<never>(() => {})

    it('carries a command to one node and its answer back', async () => {
      const a = join('a', nothing)
      join('b', async (command) => ({ heard: command }))
      const command = { type: 'greet', deep: { list: [1, 'two', null] } }
      assert.deepEqual(await a.request('b', command, 1_000), { heard: command })
    })

    it('keeps the order of the commands of one sender', async () => {
      const heard: unknown[] = []
      const a = join('a', nothing)
      join('b', async ({ number }) => heard.push(number))
      const numbers = Array.from({ length: 50 }, (_, number) => number)
      await Promise.all(numbers.map((number) => a.request('b', { type: 'count', number }, 1_000)))
      assert.deepEqual(heard, numbers)
    })

    it('carries a rejection back with its code and message', async () => {
      const a = join('a', nothing)
      join('b', () => Promise.reject(new CometError('ROOM_REFUSED', 'Not you.')))
      await assert.rejects(a.request('b', { type: 'enter' }, 1_000), {
        name: 'CometError',
        code: 'ROOM_REFUSED',
        message: 'Not you.',
      })
    })

    it('rejects with NO_SUCH_SESSION for a node that is not there, or has left', async () => {
      const a = join('a', nothing)
      const b = join('b', nothing)
      await assert.rejects(a.request('x', { type: 'any' }, 1_000), { code: 'NO_SUCH_SESSION' })
      await b.close()
      await b.close()
      await assert.rejects(a.request('b', { type: 'any' }, 1_000), { code: 'NO_SUCH_SESSION' })
    })

    it('rejects with OWNER_UNREACHABLE for a node that does not answer in time', async () => {
      const a = join('a', nothing)
      join('b', never)
      await assert.rejects(a.request('b', { type: 'any' }, 20), { code: 'OWNER_UNREACHABLE' })
    })

    it('broadcasts to every other node of the namespace, and returns the answers that came in time', async () => {
      const a = join('a', async () => 'a')
      join('b', async () => 'b')
      join('c', () => Promise.reject(new CometError('INTERNAL')))
      join('d', never)
      join('e', async () => 'e', 'other')
      assert.deepEqual(await a.broadcast({ type: 'any' }, 20), ['b'])
    })
  })
}
