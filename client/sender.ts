import type { Core, Packet } from './core.ts'
import { CometClientError } from './errors.ts'
import { MAX_TIMER, newId } from './timing.ts'

/** Options of `client.send`. */
export interface SendOptions {
  /**
   * How long the message may take to be answered, in milliseconds, with the time that it waits.
   *
   * @default the option `sendTimeout` of the client
   */
  readonly timeout?: number | undefined
  /**
   * Gives the message up. It may have reached the server.
   *
   * @default undefined
   */
  readonly signal?: AbortSignal | undefined
  /**
   * Whether the message is worth nothing later, such as that somebody types: without a connection it fails at once, with
   * NOT_CONNECTED, and it is not sent again.
   *
   * @default false
   */
  readonly volatile?: boolean | undefined
}

/**
 * Makes the function that sends messages. Each promise settles: with the answer, or with the reason why there is none.
 */
export function createSender(core: Core): (message: unknown, options?: SendOptions) => Promise<unknown> {
  const { sendTimeout, maxQueue } = core.options
  /** Makes the ids of messages unique among the pages of a user. */
  const prefix = newId()
  let count = 0
  let waiting = 0
  return (message, { timeout = sendTimeout, signal, volatile = false } = {}) =>
    new Promise((resolve, reject) => {
      const refuse = (code: string, text: string) => reject(new CometClientError(code, text))
      const evt = typeof message === 'string' ? message : JSON.stringify(message)
      if (evt === undefined)
        return refuse('INVALID_OPTION', `A message of type ${typeof message} is no JSON.`)
      if (core.connection.state === 'closed') return refuse('CLOSED', 'The client is closed.')
      if (volatile && !core.connection.session) return refuse('NOT_CONNECTED', 'There is no connection.')
      if (waiting >= maxQueue)
        return refuse('QUEUE_FULL', `${waiting} messages wait already (option maxQueue).`)
      waiting += 1
      count += 1
      const content = { type: 'SEND', send: { evt, id: `${prefix}.${count}` } }
      const settle = () => {
        waiting -= 1
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const patience = Math.min(timeout, MAX_TIMER)
      const packet: Packet = {
        make: () => content,
        onDone(answer) {
          settle()
          resolve(answer)
        },
        onFailed(error) {
          settle()
          reject(error)
        },
        patience: patience / 2,
        isVolatile: volatile,
      }
      const giveUp = (code: string, text: string, cause?: unknown) => {
        core.uplink.remove(packet)
        packet.onFailed(new CometClientError(code, text, undefined, cause))
      }
      const onAbort = () => giveUp('ABORTED', 'The message was given up.', signal?.reason)
      const timer = setTimeout(
        () =>
          giveUp('TIMEOUT', `There was no answer within ${timeout} ms. The server may have got the message.`),
        patience,
      )
      if (signal?.aborted) return onAbort()
      signal?.addEventListener('abort', onAbort)
      core.uplink.add(packet)
    })
}
