import { type Connection, connectionOf, type Request, type Response } from './messages.ts'

/** The requests that wait on one connection over HTTP/1, because the client has sent them before it had its answers. */
interface Line {
  readonly waiting: Set<(isNext: boolean) => void>
  /** Listens for the connection's end while a request waits. */
  readonly onClose: () => void
}

/**
 * The key of a connection's Line; `'ended'` where a stream was opened, which ends its connection. A property, because
 * the garbage collector takes long for a WeakMap with an entry for each stream.
 */
const LINE = Symbol('comet-sse.line')

type LinedConnection = Connection & { [LINE]?: Line | 'ended' }

/**
 * Waits until the response to a request is the next one on its connection (HTTP/1.1 pipelining). What Comet did for it
 * earlier might be in vain: a stream before it ends the connection.
 *
 * @returns true when it need not wait. False when its turn never comes: a stream is before it, or the client has gone
 */
export function turnOf(req: Request, res: Response): true | Promise<boolean> {
  const connection = connectionOf(req)
  if (connection === undefined || res.socket !== null || res.writableEnded || res.destroyed) return true
  const line = lineOf(connection)
  if (line === 'ended' || connection.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    // One listener for all that wait, so that Node.js does not warn of too many.
    if (line.waiting.size === 0) connection.on('close', line.onClose)
    const settle = (isNext: boolean) => {
      line.waiting.delete(settle)
      if (line.waiting.size === 0) connection.off('close', line.onClose)
      res.off('socket', onSocket)
      resolve(isNext)
    }
    // Node.js emits it when it gives the connection to a response that waited.
    const onSocket = () => settle(true)
    res.once('socket', onSocket)
    line.waiting.add(settle)
  })
}

/** Tells the requests that wait on a connection, and those that will come, that a stream is before them. */
export function endLine(connection: LinedConnection): void {
  const line = connection[LINE]
  connection[LINE] = 'ended'
  if (line !== undefined && line !== 'ended') dismiss(line)
}

function lineOf(connection: LinedConnection): Line | 'ended' {
  const known = connection[LINE]
  if (known !== undefined) return known
  const line: Line = { waiting: new Set(), onClose: () => dismiss(line) }
  connection[LINE] = line
  return line
}

function dismiss(line: Line): void {
  for (const settle of Array.from(line.waiting)) settle(false)
}
