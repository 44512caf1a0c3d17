import { ERRORS } from '../../lib/error-table.ts'
import { CometError, isCometError } from '../../lib/errors.ts'
import type {
  Command,
  Controller,
  ControllerConnection,
  ControllerHandler,
} from '../../lib/ports/controller.ts'
import { patientTimeout } from '../../lib/util/patient-timeout.ts'
import type { NodeOf } from './broker.ts'
import type { InboxMessage } from './inbox.ts'
import type { RedisNode } from './node.ts'

/** A Controller on streams of Redis: one for each node, and the broker's for commands to all. */
export class RedisController implements Controller {
  readonly #nodeOf: NodeOf

  constructor(nodeOf: NodeOf) {
    this.#nodeOf = nodeOf
  }

  join(handler: ControllerHandler): ControllerConnection {
    const joined = new NodeController(this.#nodeOf(handler), handler)
    return {
      request: (node, command, timeout) => joined.request(node, command, timeout),
      tell: (command) => joined.tell(command),
      close: () => joined.close(),
    }
  }
}

/** A command that this node has sent, and waits for the answer to. */
interface Asked {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** What a node's connection to the controller does. */
class NodeController implements ControllerConnection {
  readonly #node: RedisNode
  readonly #handler: ControllerHandler
  readonly #leave: () => Promise<void>
  readonly #asked = new Map<number, Asked>()
  #lastAsk = 0
  #isClosed = false

  constructor(node: RedisNode, handler: ControllerHandler) {
    this.#node = node
    this.#handler = handler
    if (handler.receives) {
      node.needsLease = true
      node.takeCommand = (command) => void this.#handle(command).catch(() => {})
      node.takeMessage = (message, deadline) => this.#take(message, deadline)
    }
    this.#leave = node.attach((status) => handler.onStatus(status))
  }

  request(nodeId: string, command: Command, timeout: number): Promise<unknown> {
    if (this.#isClosed || !this.#node.receives) {
      return Promise.reject(new CometError('UNAVAILABLE', 'A node that takes no answers asks no other one.'))
    }
    this.#lastAsk += 1
    const ask = this.#lastAsk
    const text = JSON.stringify({ from: this.#node.id, ask, command })
    return new Promise((resolve, reject) => {
      const timer = patientTimeout((late: number) => this.#fail(late, unreachable()), timeout, ask)
      this.#asked.set(ask, { resolve, reject, timer })
      this.#node.writer.send({
        node: nodeId,
        deadline: this.#node.clock.now() + timeout,
        text,
        onSent: (isThere) => {
          if (!isThere) this.#fail(ask, new CometError('NO_SUCH_SESSION'))
        },
        onFailed: (error) => this.#fail(ask, unreachable(error)),
      })
    })
  }

  async tell(command: Command): Promise<void> {
    if (this.#isClosed) throw new CometError('SHUTTING_DOWN', 'The Comet is closed.')
    // Settles when this node was told, too: what is done next must not come before it here.
    await this.#node.writer.publish(JSON.stringify({ tell: command }))
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#node.takeCommand = undefined
      this.#node.takeMessage = undefined
      for (const ask of Array.from(this.#asked.keys())) this.#fail(ask, unreachable())
      // At once, and not with the last port: nobody should ask this node any more.
      await this.#node.lease.end()
    }
    await this.#leave()
  }

  #take(message: InboxMessage, deadline: number): void {
    if ('answer' in message) {
      const asked = this.#asked.get(message.answer)
      if (asked === undefined) return
      this.#asked.delete(message.answer)
      clearTimeout(asked.timer)
      if ('error' in message) asked.reject(readError(message.error))
      else asked.resolve(message.value)
    } else if (this.#node.clock.now() < deadline)
      this.#answer(message.from, message.ask, message.command, deadline)
  }

  async #answer(node: string, answer: number, command: Command, deadline: number): Promise<void> {
    let text: string
    try {
      text = JSON.stringify({ answer, value: await this.#handle(command) })
    } catch (error) {
      text = JSON.stringify({ answer, error: describe(error) })
    }
    if (this.#isClosed) return
    this.#node.writer.send({ node, deadline, text, onSent: () => {}, onFailed: () => {} })
  }

  /** Also what is no command at all, and a handler that throws, ends in a rejection. */
  async #handle(command: Command): Promise<unknown> {
    return await this.#handler.handle(command)
  }

  #fail(ask: number, error: CometError): void {
    const asked = this.#asked.get(ask)
    if (asked === undefined) return
    this.#asked.delete(ask)
    clearTimeout(asked.timer)
    asked.reject(error)
  }
}

function unreachable(cause?: Error): CometError {
  return new CometError('OWNER_UNREACHABLE', undefined, cause && { cause })
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (isCometError(error)) return { code: error.code, message: error.message }
  return { code: 'INTERNAL', message: 'The node failed to carry out the command.' }
}

/** Makes the error that a node has rejected with. A later version may have codes that this one does not know. */
function readError({ code, message }: { readonly code: unknown; readonly message: unknown }): CometError {
  const known =
    typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as keyof typeof ERRORS) : 'INTERNAL'
  return new CometError(known, typeof message === 'string' ? message : undefined)
}
