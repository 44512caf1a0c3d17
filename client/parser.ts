/** A block of an event stream that is dispatched: one that has data (WHATWG HTML, section 9.2.6). */
export interface Block {
  /** The event's name. Empty when it has none. */
  readonly event: string
  readonly data: string
  /** The position in the `id:` of this block. Undefined when it has none. */
  readonly id?: string
  /** The room that the event was published to, which the comment `:rid=` names. */
  readonly rid?: string
  /** The position of a past event, which the comment `:at=` names. */
  readonly at?: string
}

/**
 * Makes a parser of an event stream that comes in pieces (WHATWG HTML, section 9.2.5). Its time is linear in what comes.
 *
 * @returns takes the next bytes, and calls back for what they complete
 */
export function createParser(
  onBlock: (block: Block) => void,
  onRetry: (milliseconds: number) => void,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  /** The line that has begun. It is not looked at before it ends, so that it stays a list of pieces to the engine. */
  let rest = ''
  /** Whether the last piece ended with CR: a LF that comes next ends no other line. */
  let endedWithCr = false
  let block: { -readonly [Key in keyof Block]?: Block[Key] } = {}

  /** Takes a line, which lies between two places of a text. */
  const takeLine = (text: string, start: number, end: number) => {
    if (start === end) {
      const { event = '', data, ...more } = block
      block = {}
      if (data !== undefined) onBlock({ ...more, event, data })
      return
    }
    const colon = text.indexOf(':', start)
    const nameEnd = colon < 0 || colon > end ? end : colon
    const name = text.slice(start, nameEnd)
    // One space after the colon belongs to it.
    const value = text.slice(text[nameEnd + 1] === ' ' ? nameEnd + 2 : nameEnd + 1, end)
    if (name === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`
    else if (name === 'event') block.event = value
    else if (name === 'id' && !value.includes('\0')) block.id = value
    else if (name === 'retry' && /^\d+$/.test(value)) onRetry(Number(value))
    else if (name === '' && value.startsWith('rid=')) block.rid = value.slice(4)
    else if (name === '' && value.startsWith('at=')) block.at = value.slice(3)
  }

  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true })
    if (text === '') return
    let start = endedWithCr && text[0] === '\n' ? 1 : 0
    endedWithCr = text.endsWith('\r')
    let cr = text.indexOf('\r', start)
    let lf = text.indexOf('\n', start)
    while (cr >= 0 || lf >= 0) {
      const isCr = cr >= 0 && (lf < 0 || cr < lf)
      const end = isCr ? cr : lf
      if (rest === '') takeLine(text, start, end)
      else {
        const line = rest + text.slice(start, end)
        rest = ''
        takeLine(line, 0, line.length)
      }
      start = isCr && lf === end + 1 ? end + 2 : end + 1
      if (isCr) cr = text.indexOf('\r', start)
      if (lf >= 0 && lf < start) lf = text.indexOf('\n', start)
    }
    rest += text.slice(start)
  }
}
