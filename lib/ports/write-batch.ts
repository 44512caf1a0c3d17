/** Ends a chunk's size line, and its data (RFC 9112, section 7.1). */
const CRLF = '\r\n'

/**
 * The frames of one write, joined. Sessions with the same frames share a batch: `bytes` and `chunk` are each made once,
 * however many transports ask for them. A batch is never empty, because an empty chunk ends the body.
 */
export class WriteBatch {
  /** The length of {@link bytes}. */
  readonly length: number
  private readonly frames: readonly Buffer[]
  private joined: Buffer | undefined
  private chunked: Buffer | undefined

  constructor(frames: readonly Buffer[]) {
    this.frames = frames
    let length = 0
    for (const frame of frames) length += frame.length
    this.length = length
  }

  /** The frames as one Buffer. */
  get bytes(): Buffer {
    this.joined ??= this.frames.length === 1 ? this.frames[0] : Buffer.concat(this.frames, this.length)
    return this.joined as Buffer
  }

  /** The frames as one chunk of a chunked HTTP/1.1 body. */
  get chunk(): Buffer {
    this.chunked ??= this.encodeChunk()
    return this.chunked
  }

  private encodeChunk(): Buffer {
    const head = this.length.toString(16) + CRLF
    const chunk = Buffer.allocUnsafe(head.length + this.length + CRLF.length)
    let at = chunk.write(head, 'latin1')
    for (const frame of this.frames) at += frame.copy(chunk, at)
    chunk.write(CRLF, at, 'latin1')
    return chunk
  }
}
