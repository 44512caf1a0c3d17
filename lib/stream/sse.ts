import type { Target } from '../protocol/event.ts'

/** WHATWG HTML 9.2.5: a line ends in CRLF, LF or CR. */
const LINE_END = /\r\n|\r|\n/

/** A block of an event stream (WHATWG HTML, section 9.2). */
export interface Block {
  /** The event's name; without one it is a `message`. Must have no line end. */
  readonly event?: string
  /** The position a client gives back as Last-Event-ID. Must have no line end and no NUL. */
  readonly id?: string | undefined
  /** How long a client waits before it reconnects, in milliseconds. */
  readonly retry?: number | undefined
  /** Any text. Line ends become LF; lone surrogates become U+FFFD, which is all UTF-8 has for them. */
  readonly data: string
}

/**
 * Encodes a block. A client gets `data` as it was but for the line ends: the space after the colon is the one
 * that a parser strips, and an empty `data` still is an event.
 */
export function encodeBlock({ event, id, retry, data }: Block): Buffer {
  let text = ''
  if (retry !== undefined) text += `retry: ${retry}\n`
  if (event !== undefined) text += `event: ${event}\n`
  if (id !== undefined) text += `id: ${id}\n`
  if (!data.includes('\n') && !data.includes('\r')) text += `data: ${data}\n`
  else for (const line of data.split(LINE_END)) text += `data: ${line}\n`
  return Buffer.from(`${text}\n`)
}

/** Encodes a control event of Comet: named, with JSON data. */
export function encodeControl(
  name: 'ready' | 'heartbeat' | 'gap' | 'close',
  data: object,
  { id, retry }: { readonly id?: string | undefined; readonly retry?: number | undefined } = {},
): Buffer {
  return encodeBlock({ event: `comet.${name}`, id, retry, data: JSON.stringify(data) })
}

/** Names the targets of which a client has missed something for good. */
export function encodeGap(
  targets: readonly Target[],
  block: { readonly id?: string | undefined } = {},
): Buffer {
  const named = targets.map(({ uid, rid }) => ((uid ?? rid) === undefined ? { world: true } : { uid, rid }))
  return encodeControl('gap', { targets: named }, block)
}
