import { type Target, targetKey } from '../protocol/target.ts'

const WORLD = targetKey({})

/** A line ends with CRLF, LF or CR (WHATWG HTML, section 9.2.5). */
const LINE_END = /\r\n|\r|\n/

/** A block of an event stream (WHATWG HTML, section 9.2). */
export interface Block {
  /** Comment lines to begin with, each with its line end. See {@link labelOf}. */
  readonly comment?: string
  /** The event's name, without line ends. Default: none, which browsers dispatch as `message`. */
  readonly event?: string
  /** The position that a client sends back as Last-Event-ID, without line ends and NUL. */
  readonly id?: string | undefined
  /** The time that a client waits before it reconnects, in milliseconds. */
  readonly retry?: number | undefined
  /** Any text. Line ends become LF; lone surrogates become U+FFFD, because UTF-8 cannot encode them. */
  readonly data: string
}

/**
 * Encodes a block. A client gets `data` unchanged except for line ends: each line starts with one space after the
 * colon, which parsers strip, and a block with an empty `data` still dispatches an event.
 *
 * `id:` comes last. Some clients take it when they read its line, and not with the event: cut before the end of the
 * block, they would claim an event that they never got.
 */
export function encodeBlock(block: Block): Buffer {
  return Buffer.from(textOf(block))
}

/** The text that {@link encodeBlock} encodes, for who writes it somewhere itself. */
export function textOf({ comment = '', event, id, retry, data }: Block): string {
  let text = event === undefined ? comment : `${comment}event: ${event}\n`
  if (!data.includes('\n') && !data.includes('\r')) text += `data: ${data}\n`
  else for (const line of data.split(LINE_END)) text += `data: ${line}\n`
  if (retry !== undefined) text += `retry: ${retry}\n`
  if (id !== undefined) text += `id: ${id}\n`
  return `${text}\n`
}

/**
 * Makes the comment line that names what an event was published to, so that a client can have handlers for each room.
 * Readers of event streams skip it. The world has none. A uid is not named: it is the reader's own, like a sid.
 */
export function labelOf({ uid, rid, sid }: Target): string {
  if (rid !== undefined) return `:rid=${rid}\n`
  if (uid !== undefined) return ':uid\n'
  return sid === undefined ? '' : ':sid\n'
}

const LF = 10
const COLON = 58

/** Decodes the position of an event's block, which ends with its `id:`. */
export function idOf(block: Buffer): string {
  return block.toString('utf8', lastLineOf(block) + 'id: '.length, block.length - 2)
}

/** Decodes the name and the text of an event's block. Its line ends are LF. */
export function contentOf(block: Buffer): { readonly event?: string; readonly data: string } {
  const [first = '', ...rest] = block.toString('utf8', bodyOf(block), lastLineOf(block) - 1).split('\n')
  const isNamed = first.startsWith('event: ')
  const lines = isNamed ? rest : [first, ...rest]
  const data = lines.map((line) => line.slice('data: '.length)).join('\n')
  return isNamed ? { event: first.slice('event: '.length), data } : { data }
}

/** Copies an event's block with another label. */
export function relabel(block: Buffer, label: string): Buffer {
  return Buffer.concat([Buffer.from(label), block.subarray(bodyOf(block))])
}

/**
 * Copies an event's block for a client that asked for past events: without `id:`, which would move its position back. A
 * comment names the event's position.
 */
export function pastBlock(block: Buffer): Buffer {
  const [body, idLine] = [bodyOf(block), lastLineOf(block)]
  const at = Buffer.from(`:at=${idOf(block)}\n`)
  return Buffer.concat([block.subarray(0, body), at, block.subarray(body, idLine), block.subarray(-1)])
}

/** Finds where a block begins behind its label. */
function bodyOf(block: Buffer): number {
  return block[0] === COLON ? block.indexOf(LF) + 1 : 0
}

/** Finds where the last line of a block begins. The block ends with two line ends. */
function lastLineOf(block: Buffer): number {
  return block.lastIndexOf(LF, -3) + 1
}

/** The positions that may be written into `comet.none`: no character of them has a meaning in any format. */
const SAFE_ID = /^[\w.:-]{1,256}$/

/**
 * Encodes `comet.none`, a block without data, which a client ignores that obeys the standard.
 *
 * WebKit and `eventsource` 2 keep half a block when a connection breaks, and add the next stream to it. The empty
 * comment ends the line that was cut, and the name takes the rest away from every listener. The position is there
 * because the line that was cut may have been an `id:`.
 *
 * @param position the position that the client brought. Undefined: it brought none
 * @returns undefined when the position cannot be written
 */
export function encodeNone(position: string | undefined): Buffer | undefined {
  if (position === undefined) return NONE
  return SAFE_ID.test(position) ? Buffer.from(`${NONE_FIELDS}id: ${position}\n\n`) : undefined
}

const NONE_FIELDS = ':\nevent: comet.none\n'
const NONE = Buffer.from(`${NONE_FIELDS}\n`)

/** Encodes a control event: a named block `comet.<name>` with JSON data. */
export function encodeControl(
  name: 'ready' | 'heartbeat' | 'gap' | 'close',
  data: object,
  { id, retry }: { readonly id?: string | undefined; readonly retry?: number | undefined } = {},
): Buffer {
  return encodeBlock({ event: `comet.${name}`, id, retry, data: JSON.stringify(data) })
}

/** Encodes `comet.gap`, which names the targets whose events are lost for the client. */
export function encodeGap(
  targets: readonly Target[],
  block: { readonly id?: string | undefined } = {},
): Buffer {
  const named = targets.map((target) => (targetKey(target) === WORLD ? { world: true } : target))
  return encodeControl('gap', { targets: named }, block)
}
