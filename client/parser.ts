/** A block of an event stream that is dispatched: one that has data (WHATWG HTML, section 9.2.6). */
export interface Block {
  /** The event's name. Empty when it has none, and not `message`. */
  readonly event: string
  /** The lines of data, with LF between them. */
  readonly data: string
  /** The `id:` of this block. Undefined when it has none. An `id:` with NUL is ignored. */
  readonly id: string | undefined
  /** The room that the event was published to, from the comment line `:rid=<rid>`. */
  readonly rid: string | undefined
  /** The position of a past event, from the comment line `:at=<position>`. */
  readonly at: string | undefined
}

const LF = 10
const CR = 13
const SPACE = 32
const COLON = 58
const D = 100
const E = 101
const I = 105
const R = 114

/**
 * Parses an event stream that comes in pieces (WHATWG HTML, section 9.2.6). The time is linear in the length of the
 * stream, however it is cut.
 *
 * It differs from the standard in one point: an `id:` in a block without data is dropped with the block.
 */
export class EventStreamParser {
  readonly #onBlock: (block: Block) => void
  readonly #onRetry: (milliseconds: number) => void
  /** Strips one BOM at the start, and keeps the bytes of a character that is not complete. */
  readonly #decoder = new TextDecoder()
  /**
   * The beginning of a line whose end has not come. Engines store a sum of strings as a rope, and copy its pieces into
   * one string when something looks at a character. So nothing may look at it before the line is complete: a long line
   * in small pieces would be copied for each piece, which takes quadratic time. The same holds for `#data`.
   */
  #rest = ''
  /** Whether the last text ended with CR, which ended a line at once. A LF that follows belongs to it. */
  #endedWithCr = false

  // What the block has so far.
  #event = ''
  #data: string | undefined
  #id: string | undefined
  #rid: string | undefined
  #at: string | undefined

  /**
   * @param onBlock takes each block with data, in order
   * @param onRetry takes each `retry:` as soon as its line is complete. A number with hundreds of digits is Infinity
   */
  constructor(onBlock: (block: Block) => void, onRetry: (milliseconds: number) => void) {
    this.#onBlock = onBlock
    this.#onRetry = onRetry
  }

  /**
   * Takes the next bytes, and calls back in the same turn for what they complete. It calls back for all of it, also when
   * a callback makes the caller stop. A callback must not call `push` of the same parser. What a callback throws goes to
   * the caller, and the rest of the bytes is lost.
   */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true })
    const { length } = text
    // Without a character it is not known yet whether LF follows CR.
    if (length === 0) return
    let start = this.#endedWithCr && text.charCodeAt(0) === LF ? 1 : 0
    // The next line end of each kind. One is sought again only when it lies behind, so nothing is searched twice.
    let cr = text.indexOf('\r', start)
    this.#endedWithCr = cr >= 0 && text.charCodeAt(length - 1) === CR
    let lf = text.indexOf('\n', start)
    while (cr >= 0 || lf >= 0) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr
      if (this.#rest) {
        const line = this.#rest + text.slice(start, end)
        this.#rest = ''
        this.#takeLine(line, 0, line.length)
      } else if (start < end) this.#takeLine(text, start, end)
      else this.#dispatch()
      start = end + (end === cr && lf === end + 1 ? 2 : 1)
      if (cr >= 0 && cr < start) cr = text.indexOf('\r', start)
      if (lf >= 0 && lf < start) lf = text.indexOf('\n', start)
    }
    if (start < length) this.#rest += text.slice(start)
  }

  /** Ends a block at its empty line. */
  #dispatch(): void {
    const data = this.#data
    const block = { event: this.#event, data, id: this.#id, rid: this.#rid, at: this.#at }
    this.#event = ''
    this.#data = this.#id = this.#rid = this.#at = undefined
    if (data !== undefined) this.#onBlock(block as Block)
  }

  /** Takes the line that lies between two places of a text. It is not empty. */
  #takeLine(text: string, start: number, end: number): void {
    const first = text.charCodeAt(start)
    // No name has a line end in it, so what matches lies in this line. Each block has the first four, which are compared
    // in the way that was measured to be the fastest (bench/parser.js).
    let at = start
    if (
      first === D &&
      text.charCodeAt(start + 1) === 97 &&
      text.charCodeAt(start + 2) === 116 &&
      text.charCodeAt(start + 3) === 97
    )
      at += 4 // data
    else if (
      first === COLON &&
      text.charCodeAt(start + 1) === R &&
      text.charCodeAt(start + 2) === I &&
      text.charCodeAt(start + 3) === D &&
      text.charCodeAt(start + 4) === 61
    )
      at += 5 // :rid=
    else if (first === I && text.charCodeAt(start + 1) === D)
      at += 2 // id
    else if (
      first === E &&
      text.charCodeAt(start + 1) === 118 &&
      text.charCodeAt(start + 2) === E &&
      text.charCodeAt(start + 3) === 110 &&
      text.charCodeAt(start + 4) === 116
    )
      at += 5 // event
    else if (text.startsWith('retry', start)) at += 5
    else if (text.startsWith(':at=', start)) at += 4
    else return
    if (first !== COLON && at < end) {
      // A longer name is another one. One space after the colon is not of the value.
      if (text.charCodeAt(at) !== COLON) return
      at += text.charCodeAt(at + 1) === SPACE ? 2 : 1
    }
    const value = text.slice(at, end)
    if (first === D) this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
    else if (first === E) this.#event = value
    else if (first === I) {
      if (!value.includes('\0')) this.#id = value
    } else if (first === R) {
      if (/^\d+$/.test(value)) this.#onRetry(Number(value))
    } else if (text.charCodeAt(start + 1) === R) this.#rid = value
    else this.#at = value
  }
}
