import type { Session } from './session.ts'

/** Into how many slices the sessions are spread, so that they do not all wake at once. */
const SLICES = 15

/**
 * Heartbeats for all sessions from one timer: an idle stream that is never written to would be cut by proxies.
 * The timer runs only while there are sessions.
 */
export class Heartbeat {
  readonly #interval: number
  readonly #encode: () => Buffer
  readonly #slices = Array.from({ length: SLICES }, () => new Set<Session>())
  readonly #sliceOf = new Map<Session, Set<Session>>()
  #timer: NodeJS.Timeout | undefined
  #next = 0
  #turn = 0

  /**
   * @param interval milliseconds from one heartbeat of a session to the next; 0 is off
   * @param encode makes the frame, which all sessions of a slice share
   */
  constructor(interval: number, encode: () => Buffer) {
    this.#interval = interval
    this.#encode = encode
  }

  add(session: Session): void {
    if (this.#interval === 0) return
    this.#next = (this.#next + 1) % SLICES
    const slice = this.#slices[this.#next]?.add(session)
    if (slice !== undefined) this.#sliceOf.set(session, slice)
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#beat(), this.#interval / SLICES)
    this.#timer.unref()
  }

  remove(session: Session): void {
    this.#sliceOf.get(session)?.delete(session)
    this.#sliceOf.delete(session)
    if (this.#sliceOf.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #beat(): void {
    this.#turn = (this.#turn + 1) % SLICES
    const slice = this.#slices[this.#turn]
    if (slice === undefined || slice.size === 0) return
    const frame = this.#encode()
    for (const session of slice) session.push(frame)
  }
}
