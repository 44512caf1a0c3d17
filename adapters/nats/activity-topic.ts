import type { NatsConnection } from '@nats-io/transport-node'
import { CometError } from '../../lib/errors.ts'
import type { UserActivityEvent } from '../../lib/protocol/user-activity-event.ts'
import { atMost } from '../../lib/util/at-most.ts'
import { Deferred } from '../../lib/util/deferred.ts'
import { stringifyGoMessage } from './go-message.ts'
import { encodeUserActivityEvent } from './protobuf.ts'

/** How long events wait for a connection, and then for the answer of NATS, in milliseconds. */
const WAIT_MS = 2_000

/** The topic on which Go services hear of users. */
export class ActivityTopic {
  readonly #subject: string
  #nats: NatsConnection | undefined
  #connected = new Deferred<void>()
  #refusal: Error | undefined

  constructor(subject: string) {
    this.#subject = subject
  }

  /** There is a connection, or there is none any more. */
  connected(nats: NatsConnection | undefined): void {
    this.#nats = nats
    if (nats !== undefined) this.#connected.resolve()
    else this.#connected = new Deferred()
  }

  /** NATS did not let this node publish on a subject. */
  refused(subject: string, error: Error): void {
    if (subject === this.#subject) this.#refusal = error
  }

  /**
   * Publishes events, in order.
   *
   * @returns settles when NATS has them all
   * @throws CometError UNAVAILABLE when it may not have some of them: publish all of them again
   */
  async publish(events: readonly UserActivityEvent[]): Promise<void> {
    if (this.#nats === undefined) await atMost(WAIT_MS, this.#connected.promise)
    const nats = this.#nats
    if (nats === undefined) throw new CometError('UNAVAILABLE', 'NATS cannot be reached.')
    this.#refusal = undefined
    try {
      for (const event of events) {
        const body = encodeUserActivityEvent(event).toString('base64')
        nats.publish(this.#subject, stringifyGoMessage(this.#subject, '', body))
      }
      let isAnswered = false
      const flushed = nats.flush().then(() => {
        isAnswered = true
      })
      await atMost(WAIT_MS, flushed)
      if (!isAnswered) throw new Error('NATS did not answer.')
    } catch (cause) {
      throw new CometError('UNAVAILABLE', 'NATS cannot be reached.', { cause })
    }
    if (this.#refusal === undefined) return
    const message = `The user of the connection to NATS may not publish on ${this.#subject}. Allow it.`
    throw new CometError('UNAVAILABLE', message, { cause: this.#refusal })
  }

  /** Ends what waits for a connection. */
  close(): void {
    this.#nats = undefined
    this.#connected.resolve()
  }
}
