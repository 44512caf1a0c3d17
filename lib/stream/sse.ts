import type { Target } from '../protocol/target.ts'

/** A line ends with CRLF, LF or CR (WHATWG HTML, section 9.2.5). */
const LINE_END = /\r\n|\r|\n/

/** A block of an event stream (WHATWG HTML, section 9.2). */
export interface Block {
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
export function encodeBlock({ event, id, retry, data }: Block): Buffer {
  let text = event === undefined ? '' : `event: ${event}\n`
  if (!data.includes('\n') && !data.includes('\r')) text += `data: ${data}\n`
  else for (const line of data.split(LINE_END)) text += `data: ${line}\n`
  if (retry !== undefined) text += `retry: ${retry}\n`
  if (id !== undefined) text += `id: ${id}\n`
  return Buffer.from(`${text}\n`)
}

const LF = 10

/** Decodes the position of a block that {@link encodeBlock} made of `data` and `id`. */
export function idOf(block: Buffer): string {
  return block.toString('utf8', lastLineOf(block) + 'id: '.length, block.length - 2)
}

/** Decodes the text of a block that {@link encodeBlock} made of `data` and `id`: its line ends are LF. */
export function dataOf(block: Buffer): string {
  const lines = block.toString('utf8', 'data: '.length, lastLineOf(block) - 1)
  return lines.replaceAll('\ndata: ', '\n')
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
  const named = targets.map(({ uid, rid }) => ((uid ?? rid) === undefined ? { world: true } : { uid, rid }))
  return encodeControl('gap', { targets: named }, block)
}
