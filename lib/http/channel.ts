import type { Writable } from 'node:stream'
import type { WriteBatch } from '../ports/write-batch.ts'
import type { Response } from './messages.ts'

/** What differs between HTTP/1 and HTTP/2 in the stream of a response. Used by one ResponseTransport. */
export interface Channel {
  /** True once nothing more can be written, whether an event has told so or not. */
  readonly ended: boolean
  /** Whether the client has reset the stream after its end, of which no event tells. */
  readonly wasReset: boolean
  /** Whether the bytes of the stream go past the response. */
  readonly bypassesResponse: boolean
  /** What emits 'drain'. */
  readonly drained: NodeJS.EventEmitter
  /** Sends the head, with the headers that are set, and the first bytes. @returns as `send` */
  start(first: WriteBatch): boolean
  /** @returns false when not all could be sent at once */
  send(batch: WriteBatch): boolean
  /** Called before the response is ended. */
  prepareEnd(): void
  /** Calls back when a write made no progress for some milliseconds. @returns what ends this */
  watchStall(milliseconds: number, onStall: () => void): () => void
  /** Ends the stream now. */
  cut(): void
  /** Called once the stream is over. */
  leave(): void
}

/** Writes bytes through a response. @returns false when not all could be sent at once */
export function writeBody(res: Response, bytes: Buffer): boolean {
  const takesMore = (res as { write(bytes: Buffer): boolean }).write(bytes)
  // A compression middleware that ignores `no-transform` holds back what is not flushed.
  const { flush } = res as { flush?: unknown }
  if (typeof flush === 'function') flush.call(res)
  return takesMore
}

/** The bytes that a client must at least read in the time of a stall. A large write shows no progress in between. */
const PROGRESS_BYTES = 1_048_576

/**
 * Watches a write where Node.js has no timeout that fits: calls back when the client has read too little of it.
 *
 * @param milliseconds the time of a stall
 * @returns what ends this
 */
export function watchLength(writable: Writable, milliseconds: number, onStall: () => void): () => void {
  let length = writable.writableLength
  let looks = 0
  const timer = setInterval(() => {
    looks = writable.writableLength < length ? 0 : looks + 1
    length = writable.writableLength
    if (looks * PROGRESS_BYTES >= length) onStall()
  }, milliseconds)
  timer.unref()
  return () => clearInterval(timer)
}
