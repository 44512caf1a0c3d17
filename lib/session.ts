import type { Flusher } from './flusher.ts'
import type { Identification } from './identity.ts'
import { Pending } from './pending.ts'
import type { Transport } from './transport.ts'
import type { UplinkState } from './uplink-state.ts'

/** What hosts get to see of a session. */
export interface SessionInfo {
  /** The session's id. A client needs it to send packets; it is of no use to another user. */
  readonly sid: string
  readonly uid: string
  readonly anonymous: boolean
  /** The rooms it is in by itself; the user-level ones are not among them. */
  readonly rooms: readonly string[]
  readonly clientId?: string
}

/** One client's stream: what it is owed goes in, ordered, and out in one write a turn of the event loop. */
export class Session {
  readonly sid: string
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId: string | undefined
  readonly rooms = new Set<string>()
  /** Made with the first packet. */
  uplink: UplinkState | undefined
  readonly #transport: Transport
  readonly #flusher: Flusher
  #pending: Pending | undefined
  #state: 'opening' | 'open' | 'closed' = 'opening'

  constructor(
    sid: string,
    { uid, anonymous }: Identification,
    transport: Transport,
    flusher: Flusher,
    clientId?: string,
  ) {
    this.sid = sid
    this.uid = uid
    this.anonymous = anonymous
    this.clientId = clientId
    this.#transport = transport
    this.#flusher = flusher
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Owes the client a frame. The same Buffer should be given to all sessions that get it. */
  push(frame: Buffer): void {
    if (this.#state === 'closed') return
    this.#pending ??= this.#state === 'open' ? this.#flusher.add(this) : Pending.empty()
    this.#pending = this.#pending.with(frame)
  }

  /** Accepts the client, whose stream begins with `first` and goes on with what was pushed meanwhile. */
  open(first: Buffer): void {
    if (this.#state !== 'opening') return
    this.#begin()
    this.#transport.write(first)
    this.flush()
  }

  #begin(): void {
    this.#state = 'open'
    this.#transport.open()
  }

  /** Writes what is pending. */
  flush(): void {
    const bytes = this.#pending?.bytes()
    this.#pending = undefined
    if (bytes !== undefined && this.#state === 'open') this.#transport.write(bytes)
  }

  /**
   * Ends the session: what is pending and then `last` go out, and the stream ends. Without `last` a stream that
   * has not begun is left to whoever accepted the request.
   *
   * @returns false when it had ended before
   */
  close(last?: Buffer): boolean {
    if (this.#state === 'closed') return false
    if (this.#state === 'opening' && last !== undefined) this.#begin()
    this.flush()
    if (last !== undefined) this.#transport.write(last)
    if (this.#state === 'open') this.#transport.end()
    this.#state = 'closed'
    this.#pending = undefined
    return true
  }

  /** Settles when nothing of the stream is left; past `deadline` milliseconds what could not be sent is given up. */
  async gone(deadline: number): Promise<void> {
    const timer = setTimeout(() => this.#transport.destroy(), deadline)
    await new Promise<void>((resolve) => this.#transport.onClose(resolve))
    clearTimeout(timer)
  }

  toInfo(): SessionInfo {
    const { sid, uid, anonymous, rooms, clientId } = this
    return { sid, uid, anonymous, rooms: Array.from(rooms), ...(clientId === undefined ? {} : { clientId }) }
  }
}
