import type { Response } from './messages.ts'

/** Writes bytes through a response. @returns false when not all could be sent at once */
export function writeBody(res: Response, bytes: Buffer): boolean {
  const takesMore = (res as { write(bytes: Buffer): boolean }).write(bytes)
  // A compression middleware that ignores `no-transform` holds back what is not flushed.
  const { flush } = res as { flush?: unknown }
  if (typeof flush === 'function') flush.call(res)
  return takesMore
}
