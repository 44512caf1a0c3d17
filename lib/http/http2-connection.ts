import type { Http2Session } from 'node:http2'

/** Called when a connection is gone. It also names a stream on the connection: each stream has its own. */
type OnGone = () => void

/** A stream on a connection. */
interface Entry {
  /** Aborted when the stream's Comet closes. It tells one Comet from another. */
  readonly closing: AbortSignal
  /** Whether the stream was opened, so that it suspends the timeout of the connection. */
  opened: boolean
}

const connections = new WeakMap<Http2Session, Http2Connection>()

/** The connections that had a stream of a Comet, by the signal of its close. */
const byComet = new WeakMap<AbortSignal, Set<Http2Connection>>()

/**
 * A connection over HTTP/2 (a session of Node.js). It carries streams of any number of Comets, and other requests of
 * the app. So the end of a stream is not its end.
 *
 * - While a stream is open, the connection has no idle timeout. Then it gets back the one that the app has given it.
 * - When a Comet closes, the connection is told to take no more requests (GOAWAY), after the last stream of this Comet.
 *   Without it the client would keep the connection, and `server.close()` would wait for it.
 */
export class Http2Connection {
  readonly #session: Http2Session & { readonly timeout?: number }
  readonly #streams = new Map<OnGone, Entry>()
  readonly #comets = new Set<AbortSignal>()
  #openStreams = 0
  /** The idle timeout that the app has given the connection, in milliseconds. */
  #timeout = 0

  static of(session: Http2Session): Http2Connection {
    const connection = connections.get(session) ?? new Http2Connection(session)
    connections.set(session, connection)
    return connection
  }

  private constructor(session: Http2Session) {
    this.#session = session
    session.once('close', () => {
      for (const closing of this.#comets) byComet.get(closing)?.delete(this)
      for (const onGone of Array.from(this.#streams.keys())) onGone()
    })
  }

  /** Adds a stream that is not open yet. */
  add(onGone: OnGone, closing: AbortSignal): void {
    this.#streams.set(onGone, { closing, opened: false })
    if (closing.aborted || this.#comets.has(closing)) return
    this.#comets.add(closing)
    connectionsOf(closing).add(this)
  }

  /** Suspends the idle timeout for a stream. */
  open(onGone: OnGone): void {
    const entry = this.#streams.get(onGone)
    if (entry === undefined || entry.opened) return
    entry.opened = true
    this.#openStreams += 1
    if (this.#openStreams > 1) return
    this.#timeout = this.#session.timeout ?? 0
    this.#session.setTimeout(0)
  }

  /** Removes a stream that has ended. Idempotent. */
  remove(onGone: OnGone): void {
    const entry = this.#streams.get(onGone)
    if (entry === undefined) return
    this.#streams.delete(onGone)
    if (entry.opened) this.#openStreams -= 1
    // Unless the app has set another one meanwhile.
    if (entry.opened && this.#openStreams === 0 && !this.#session.timeout) {
      this.#session.setTimeout(this.#timeout)
    }
    if (entry.closing.aborted) this.closeFor(entry.closing)
  }

  /** Sends GOAWAY for a Comet that closes, unless one of its streams is left. Node.js sends it once only. */
  closeFor(closing: AbortSignal): void {
    for (const entry of this.#streams.values()) if (entry.closing === closing) return
    this.#session.close()
  }
}

function connectionsOf(closing: AbortSignal): Set<Http2Connection> {
  let connectionsOfComet = byComet.get(closing)
  if (connectionsOfComet === undefined) {
    const made = new Set<Http2Connection>()
    connectionsOfComet = made
    byComet.set(closing, made)
    closing.addEventListener(
      'abort',
      () => {
        for (const connection of made) connection.closeFor(closing)
      },
      { once: true },
    )
  }
  return connectionsOfComet
}
