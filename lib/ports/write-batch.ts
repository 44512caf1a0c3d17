/** Ends a chunk (RFC 9112, section 7.1). */
const CRLF = '\r\n'

/**
 * What goes out in one write: frames, joined. Sessions that are owed the same share it, so that each form of it is made
 * once, whatever number of transports ask for it.
 */
export class WriteBatch {
  /** In bytes. */
  readonly length: number
  private readonly frames: readonly Buffer[]
  private joined: Buffer | undefined
  private framed: Buffer | undefined

  constructor(frames: readonly Buffer[]) {
    this.frames = frames
    let length = 0
    for (const frame of frames) length += frame.length
    this.length = length
  }

  /** As they are. */
  get bytes(): Buffer {
    this.joined ??= this.frames.length === 1 ? this.frames[0] : Buffer.concat(this.frames, this.length)
    return this.joined as Buffer
  }

  /** As one chunk of a chunked HTTP/1.1 body. */
  get chunk(): Buffer {
    this.framed ??= this.frame()
    return this.framed
  }

  private frame(): Buffer {
    const head = this.length.toString(16) + CRLF
    const chunk = Buffer.allocUnsafe(head.length + this.length + CRLF.length)
    let at = chunk.write(head, 'latin1')
    for (const frame of this.frames) at += frame.copy(chunk, at)
    chunk.write(CRLF, at, 'latin1')
    return chunk
  }
}
