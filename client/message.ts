import type { Block } from './parser.ts'

/** Where an event came from. */
export interface Origin {
  /** The room that it was published to. Undefined: it came to the user, the session or the world. */
  readonly rid: string | undefined
  /** Its position in the order of all events. */
  readonly position: string | undefined
  /** Whether it is a past event, which `recent` or a JOIN brought. */
  readonly fromHistory: boolean
}

/** An event: a named one, or a Message in `evt`. */
export interface CometMessage<Data = unknown, Name extends string = string> extends Origin {
  readonly event: Name
  /** The data as text. Of a named event it is JSON. */
  readonly data: string
  /** The data, parsed once. Of a Message whose data is no JSON: the text. */
  json(): Data
  /** Of a Message: the id that the app gave it. */
  readonly id?: string
  /** Of a Message: the server that made it. */
  readonly server?: string
  /** Of a Message: when it happened. */
  readonly time?: Date
}

/** `time` of a Message, without the six digits of its nanoseconds. In a string of JSON its quotes would be escaped. */
const MILLISECONDS = /"time"\s*:\s*"?(-?\d+)\d{6}\b/

/** Reads where a block came from. */
export function originOf({ rid, at, id }: Block): Origin {
  return { rid, position: at ?? id, fromHistory: at !== undefined }
}

/** Makes the message of a block. @returns undefined for a text without a name that is no Message */
export function messageOf(block: Block): CometMessage | undefined {
  const { event, data } = block
  const members = event === '' ? membersOf(data) : { event, data }
  if (members === undefined) return undefined
  let json: { readonly value: unknown } | undefined
  return {
    ...originOf(block),
    ...members,
    json() {
      json ??= { value: parse(members.data, event === '') }
      return json.value
    },
  }
}

/** Reads the members of a Message (protocol: object Message), an object with an event or data. */
function membersOf(
  text: string,
): Pick<CometMessage, 'event' | 'data' | 'id' | 'server' | 'time'> | undefined {
  try {
    const { event = '', data = '', id = '', server = '' } = JSON.parse(text)
    const isMessage = [event, data, id, server].every((member) => typeof member === 'string')
    if (!isMessage || event + data === '') return undefined
    // From its digits: JSON.parse would round them, perhaps to another millisecond.
    const [, milliseconds] = MILLISECONDS.exec(text) ?? []
    return { event, data, id, server, ...(milliseconds && { time: new Date(Number(milliseconds)) }) }
  } catch {
    // Any text may come without a name.
    return undefined
  }
}

function parse(data: string, isAnyText: boolean): unknown {
  try {
    return JSON.parse(data)
  } catch (error) {
    if (isAnyText) return data
    throw error
  }
}
