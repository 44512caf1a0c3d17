import { CometError } from '../errors.ts'
import type { Command, Controller, ControllerConnection, ControllerHandler } from '../ports/controller.ts'
import { patientTimeout } from '../util/patient-timeout.ts'
import { Namespaces } from './namespaces.ts'

/** Runs steps one after the other: one that is given during another runs after it. */
export type InOrder = (step: () => void) => void

/** A Controller within the process, for the Comets that share it: a command is a function call with a deadline. */
export class MemoryController implements Controller {
  readonly #nodes = new Namespaces<ControllerHandler>()
  readonly #inOrder: InOrder

  /** @param inOrder runs the steps of the broker, too: what is published before a command arrives before it */
  constructor(inOrder: InOrder) {
    this.#inOrder = inOrder
  }

  join(node: ControllerHandler): ControllerConnection {
    const leave = node.receives ? this.#nodes.join(node) : () => {}
    return {
      request: (id, command, timeout) => this.#request(node.namespace, id, command, timeout),
      tell: async (command) => this.#tell(node.namespace, command),
      close: async () => leave(),
    }
  }

  async #request(namespace: string, id: string, command: Command, timeout: number): Promise<unknown> {
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#inOrder(() => {
        const owner = this.#nodes.get(namespace, id)
        if (owner === undefined) reject(new CometError('NO_SUCH_SESSION'))
        else owner.handle(command).then(resolve, reject)
      })
    })
    return await withDeadline(answer, timeout)
  }

  #tell(namespace: string, command: Command): void {
    this.#inOrder(() => {
      // A copy: a node may leave while it handles the command. The answers of all are dropped.
      for (const node of Array.from(this.#nodes.of(namespace))) node.handle(command).catch(() => {})
    })
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
