/** Tells whether a Buffer is a slice of a larger one, such as a page of 8 KiB that Node.js shares among small Buffers. */
export function isPooled(frame: Buffer): boolean {
  return frame.buffer.byteLength > frame.length
}

/** Copies a Buffer that {@link isPooled}, and would keep the whole page in memory. For what keeps it longer than a turn. */
export function unpooled(frame: Buffer): Buffer {
  if (!isPooled(frame)) return frame
  const own = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(own)
  return own
}
