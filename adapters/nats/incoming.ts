import { CometError } from '../../lib/errors.ts'
import type { Envelope, Except, Receivers } from '../../lib/ports/broker.ts'
import { parseEvent } from '../../lib/protocol/event.ts'
import type { Message } from '../../lib/protocol/message.ts'
import { checkId } from '../../lib/util/validate.ts'
import { bodyOf, type GoMessage, memberOf, parseGoMessage } from './go-message.ts'
import { decodeEvent } from './protobuf.ts'
import type { SignedHeader, Signer } from './signature.ts'
import type { Subjects } from './subjects.ts'

/** Who has published an event. */
export interface Origin {
  /** A life of a node. */
  readonly node: string
  /** The number of the event there. */
  readonly number: number
}

/** An event as it came. */
export interface Incoming {
  readonly envelope: Envelope
  /** Undefined for an event of a Go service. */
  readonly origin?: Origin
  /** Whether a header of Comet was ignored, because no node of this namespace has signed it. */
  readonly isForged?: boolean
}

/** What a signed header says. A later version may say more. */
interface SignedText {
  readonly from: string
  readonly n: number
  readonly to?: Receivers
  readonly event?: string
  readonly except?: Except
  readonly transient?: boolean
}

/** Ids may have any length here: the options of a node limit those of its users only. */
const MOST_ID_BYTES = 1_048_576

const HEADERS: readonly SignedHeader[] = ['Comet-Envelope', 'Comet-Skip']

/** Reads what Go services and Comets publish. */
export class IncomingReader {
  readonly #subjects: Subjects
  readonly #secrets: Pick<Signer, 'verify'>
  readonly #onForged: (subject: string) => void

  /** @param onForged called for each header of Comet that no node of this namespace has signed */
  constructor(subjects: Subjects, secrets: Pick<Signer, 'verify'>, onForged: (subject: string) => void) {
    this.#subjects = subjects
    this.#secrets = secrets
    this.#onForged = onForged
  }

  /**
   * Reads a message.
   *
   * @returns undefined for one that is there for Go services only
   * @throws CometError when it cannot be read
   */
  read(subject: string, payload: Uint8Array): Incoming | undefined {
    const message = parseGoMessage(payload)
    const signed = this.#signedText(message, 'Comet-Envelope', subject)
    if (signed !== undefined) return readSigned(signed, message)
    if (subject === this.#subjects.sessions) {
      throw new CometError('INVALID_FIELD', 'No node of this namespace has signed it.')
    }
    if (this.#signedText(message, 'Comet-Skip', subject) !== undefined) return undefined
    const isForged = HEADERS.some((name) => message.header(name) !== undefined)
    return { envelope: readUnsigned(message), ...(isForged ? { isForged } : {}) }
  }

  #signedText({ header, body }: GoMessage, name: SignedHeader, subject: string): string | undefined {
    const value = header(name)
    if (value === undefined) return undefined
    const text = this.#secrets.verify(name, subject, value, body)
    if (text === undefined) this.#onForged(subject)
    return text
  }
}

/** Reads what a node has published: the header says what the Event does not. */
function readSigned(text: string, message: GoMessage): Incoming {
  const { from, n, event, except, transient, ...signed } = JSON.parse(text) as SignedText
  const { uid, rid, evt } = decodeEvent(bodyOf(message).bytes)
  const to = signed.to ?? receiversOf(uid, rid)
  const envelope: Envelope = {
    to,
    ...(event === undefined ? {} : { event }),
    data: event === undefined ? evt : dataOf(evt),
    ...(except === undefined ? {} : { except }),
    ...(transient ? { transient } : {}),
  }
  return { envelope, origin: { node: from, number: n } }
}

/** Reads the data of a Message that a node has published. Its JSON has no member for an empty text. */
function dataOf(message: string): string {
  const { data = '' } = JSON.parse(message) as Message
  return data
}

/** Reads an Event of a Go service. */
function readUnsigned(message: GoMessage): Envelope {
  const { isJson, bytes } = bodyOf(message)
  const { uid, rid, evt } = isJson ? eventOfJson(bytes.toString()) : decodeEvent(bytes)
  // A line end would be one of the stream that the id is written into.
  if (uid !== undefined) checkId('Event.uid', uid, MOST_ID_BYTES)
  else if (rid !== undefined) checkId('Event.rid', rid, MOST_ID_BYTES)
  return { to: receiversOf(uid, rid), data: evt }
}

/** Reads an Event from JSON. Go finds a field also by its name in another case. */
function eventOfJson(text: string) {
  const object = objectOf(text)
  const fields = ['uid', 'rid', 'evt'].map((name) => [name, memberOf(object, name)])
  return parseEvent(JSON.stringify(Object.fromEntries(fields)))
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Not with what JSON.parse says, which quotes the text.
    throw new CometError('INVALID_JSON', 'The body is not JSON.')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new CometError('INVALID_FIELD', 'The body must be a JSON object.')
}

function receiversOf(uid: string | undefined, rid: string | undefined): Receivers {
  if (uid !== undefined) return { uids: [uid] }
  return rid === undefined ? {} : { rids: [rid] }
}
