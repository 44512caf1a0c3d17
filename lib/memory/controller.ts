import { CometError } from '../errors.ts'
import type { Command, Controller, ControllerConnection, ControllerHandler } from '../ports/controller.ts'
import { patientTimeout } from '../util/patient-timeout.ts'
import { Namespaces } from './namespaces.ts'

/** A Controller within the process, for the Comets that share it: a command is a function call with a deadline. */
export class MemoryController implements Controller {
  readonly #nodes = new Namespaces<ControllerHandler>()

  join(node: ControllerHandler): ControllerConnection {
    const leave = this.#nodes.join(node)
    return {
      request: (id, command, timeout) => this.#request(node.namespace, id, command, timeout),
      broadcast: (command, timeout) => this.#broadcast(node, command, timeout),
      close: async () => leave(),
    }
  }

  async #request(namespace: string, id: string, command: Command, timeout: number): Promise<unknown> {
    const owner = this.#nodes.get(namespace, id)
    if (owner === undefined) throw new CometError('NO_SUCH_SESSION')
    return await withDeadline(owner.handle(command), timeout)
  }

  async #broadcast(sender: ControllerHandler, command: Command, timeout: number): Promise<unknown[]> {
    const asked = Array.from(this.#nodes.of(sender.namespace))
      .filter((node) => node !== sender)
      .map((node) => withDeadline(node.handle(command), timeout))
    const settled = await Promise.allSettled(asked)
    return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }
}

function withDeadline<T>(answer: Promise<T>, timeout: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = patientTimeout(abandon, timeout, reject)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function abandon(reject: (error: CometError) => void): void {
  reject(new CometError('OWNER_UNREACHABLE'))
}
