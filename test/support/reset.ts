import type { Socket } from 'node:net'

/**
 * Cuts a connection by RST. One that is being ended is only destroyed: Node.js 20 would never finish to close it, and the
 * process of the tests would then run for ever at its end.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}
