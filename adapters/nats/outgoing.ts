import type { Envelope, Receivers } from '../../lib/ports/broker.ts'
import { stringifyMessage } from '../../lib/protocol/message.ts'
import { now } from '../../lib/util/clock.ts'
import { stringifyGoMessage } from './go-message.ts'
import { type EventFields, encodeEvent } from './protobuf.ts'
import type { Signer } from './signature.ts'
import type { Subjects } from './subjects.ts'

/** A message of NATS. */
export interface NatsMessage {
  readonly subject: string
  readonly payload: string
}

/** What signed headers may add to a message, besides quotes that are escaped, in bytes. */
const HEADER_BYTES = 160

/** Who publishes. */
export interface Sender {
  /** Names this life of the node. */
  readonly origin: string
  /** The `server` of its Messages. */
  readonly server: string
}

/**
 * An envelope that is encoded, but for its number and signature. To users, rooms or the world it is an Event for each of
 * them: the first one says in its header what Go's Event cannot say, and Comets ignore the others.
 */
export class Outgoing {
  /** The bytes of its largest message. */
  readonly largest: number
  /** The bytes of all its messages. */
  readonly bytes: number
  readonly subject: string
  readonly #from: string
  /** In base64: an Event for each target. */
  readonly #bodies: readonly string[]
  /** The end of the text in the header. */
  readonly #rest: string

  constructor(envelope: Envelope, subjects: Subjects, sender: Sender) {
    const { to } = envelope
    this.subject = to.sids === undefined ? subjects.events : subjects.sessions
    this.#from = JSON.stringify(sender.origin)
    this.#bodies = eventsOf(to, evtOf(envelope, sender)).map((event) => encodeEvent(event).toString('base64'))
    this.#rest = restOf(envelope, this.#bodies.length === 1)
    const [first = ''] = this.#bodies
    const header = Buffer.byteLength(JSON.stringify(this.#rest)) + HEADER_BYTES + this.#from.length
    const fixed = Buffer.byteLength(stringifyGoMessage(this.subject, '', ''))
    const longest = this.#bodies.reduce((most, { length }) => Math.max(most, length), 0)
    this.largest = fixed + Math.max(header + first.length, HEADER_BYTES + longest)
    this.bytes = this.#bodies.reduce((sum, body) => sum + fixed + HEADER_BYTES + body.length, header)
  }

  /** How many messages it is. */
  get count(): number {
    return this.#bodies.length
  }

  /** Makes its messages. @param number different for each envelope of this node, one more than that of the last */
  messages(number: number, signer: Signer): NatsMessage[] {
    const { subject } = this
    const text = `{"from":${this.#from},"n":${number}${this.#rest}}`
    return this.#bodies.map((body, at) => {
      const header = at === 0 ? 'Comet-Envelope' : 'Comet-Skip'
      const value = signer.sign(header, subject, at === 0 ? text : `{"n":${number}}`, body)
      return { subject, payload: stringifyGoMessage(subject, `,"${header}":${JSON.stringify(value)}`, body) }
    })
  }
}

/** The text of an Event: that of the envelope, or a Message for a named event, which Go's Event has no field for. */
function evtOf({ event, data }: Envelope, { server }: Sender): string {
  return event === undefined ? data : stringifyMessage({ server, event, data, time: now() })
}

function eventsOf({ uids, rids }: Receivers, evt: string): EventFields[] {
  if (uids !== undefined) return uids.map((uid) => ({ uid, evt }))
  return rids === undefined ? [{ evt }] : rids.map((rid) => ({ rid, evt }))
}

/** The members of an envelope that its first Event does not say, as JSON that goes on after another member. */
function restOf({ to, event, except, transient }: Envelope, isSaid: boolean): string {
  const rest = { to: isSaid && to.sids === undefined ? undefined : to, event, except, transient }
  const json = JSON.stringify(rest)
  return json === '{}' ? '' : `,${json.slice(1, -1)}`
}

/** The bytes that the messages of an envelope have at least, without encoding them: its data in base64 for each target. */
export function leastBytesOf({ to, data }: Envelope): { readonly largest: number; readonly all: number } {
  const largest = Math.floor((Buffer.byteLength(data) * 4) / 3)
  return { largest, all: largest * ((to.uids ?? to.rids)?.length ?? 1) }
}
