import type { CometCloseCode } from './codes.ts'
import type { Flusher } from './flusher.ts'
import type { Identification } from './identity.ts'
import { Outbox } from './outbox.ts'
import { Pending } from './pending.ts'
import { type Missed, Replay } from './replay.ts'
import { encodeGap } from './sse.ts'
import type { Transport, TransportListener } from './transport.ts'

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

/** What a session needs of the node it is on; one for all sessions. */
export interface SessionHost {
  readonly flusher: Flusher
  readonly options: { readonly maxBufferedBytes: number; readonly writeTimeout: number }
  readonly backlog: { readonly ordinal: number }
  /** What the session's targets were sent after a position and is for this session. */
  missed(session: Session, position: string): Missed
  /** Has a session ended by the one close path. */
  end(session: Session, code: CometCloseCode): void
}

/** How many sessions there have been in this process. */
let made = 0

/** One client's stream: what it is owed goes in, ordered, and out in one write a turn of the event loop. */
export class Session implements TransportListener {
  /** Its connection's id, or the sid of the session it took over. */
  sid: string
  /** What tells it from the other connections of the same session. */
  readonly connection: string
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId: string | undefined
  /** Higher than that of any session whose client came before. */
  readonly number: number
  readonly rooms = new Set<string>()
  /** Whether presence knows of it. */
  present = false
  /** The rooms that its user left while presence was asked about it: what presence says of them is out of date. */
  dismissed: Set<string> | undefined
  /** Why it ended. */
  ended: CometCloseCode | undefined
  readonly #host: SessionHost
  readonly #transport: Transport
  readonly #outbox: Outbox
  #pending: Pending | undefined
  #pendingBytes = 0
  /** Set until the session has caught up with what is published. */
  #replay: Replay | undefined
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #isGone = false
  #onGone: (() => void) | undefined

  constructor(
    host: SessionHost,
    transport: Transport,
    connection: string,
    { uid, anonymous }: Identification,
    clientId?: string,
  ) {
    this.sid = connection
    this.connection = connection
    this.uid = uid
    this.anonymous = anonymous
    this.clientId = clientId
    made += 1
    this.number = made
    this.#host = host
    this.#transport = transport
    this.#outbox = new Outbox(transport)
  }

  /** The position up to which the client has everything, until it has caught up. */
  get cursor(): string | undefined {
    return this.#replay?.cursor
  }

  /**
   * Whether it has caught up. Until then what is not kept waits behind the replay, and must have no id: it stands
   * before what was replayed, and would set the client back there.
   */
  get live(): boolean {
    return this.#replay === undefined
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** From here on the session is owed all that its targets are sent after a position. */
  enlist(position: string): void {
    this.#replay = new Replay(position)
  }

  /**
   * Owes the client a frame. The same Buffer should be given to all sessions that get it.
   *
   * @param kept whether it is in the backlog, from which a session that has not caught up will take it in its turn
   */
  push(frame: Buffer, kept = false): void {
    if (this.#state === 'closed') return
    const { live } = this
    if (kept && !live) return
    this.#pending ??= live ? this.#host.flusher.add(this) : Pending.empty()
    this.#pending = this.#pending.with(frame)
    if (live) return
    this.#pendingBytes += frame.length
    if (this.#pendingBytes > this.#host.options.maxBufferedBytes) this.#host.end(this, 'SLOW')
  }

  /** The session has entered a room: while it catches up, what the room was sent before is not for it. */
  entered(rid: string): void {
    if (this.#state === 'open') this.#replay?.enter(rid, this.#host.backlog.ordinal)
  }

  /** Accepts the client, whose stream begins with `first` and goes on with what it missed, if anything. */
  open(first: Buffer, missed: Missed | undefined): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#transport.open()
    this.#outbox.write(first)
    if (missed !== undefined) this.#replay?.add(missed)
    this.#catchUp()
  }

  /** Writes what is pending. */
  flush(): void {
    if (this.#replay !== undefined || this.#state !== 'open') return
    const bytes = this.#pending?.bytes()
    this.#pending = undefined
    if (bytes === undefined) return
    this.#outbox.write(bytes)
    if (this.#outbox.excess > this.#host.options.maxBufferedBytes) this.#host.end(this, 'SLOW')
  }

  /**
   * Ends the session: what is pending and then `last` go out, and the stream ends. Without `last` a stream that
   * has not begun is left to whoever accepted the request.
   *
   * @returns false when it had ended before
   */
  close(last?: Buffer): boolean {
    if (this.#state === 'closed') return false
    if (this.#state === 'opening' && last !== undefined) {
      this.#state = 'open'
      this.#transport.open()
      this.#catchUp()
    }
    if (this.#state === 'open') {
      const bytes = this.live ? this.#pending?.bytes() : undefined
      this.#state = 'closed'
      // What waits would be held for a reader that may never read on. It comes back for it.
      if (this.#outbox.blocked) this.#outbox.clear()
      else if (bytes !== undefined) this.#transport.write(bytes)
      if (last !== undefined) this.#transport.write(last)
      this.#transport.end()
    }
    this.#state = 'closed'
    this.#pending = undefined
    this.#replay = undefined
    return true
  }

  /** Settles when nothing of the stream is left; past `deadline` milliseconds what could not be sent is given up. */
  async gone(deadline: number): Promise<void> {
    if (this.#isGone) return
    const timer = setTimeout(() => this.#transport.destroy(), deadline)
    await new Promise<void>((resolve) => {
      this.#onGone = resolve
    })
    clearTimeout(timer)
  }

  onClose(): void {
    this.#isGone = true
    this.#onGone?.()
    this.#host.end(this, 'GONE')
  }

  onDrain(): void {
    this.#outbox.drained()
    this.#catchUp()
  }

  onStall(): void {
    this.#host.end(this, 'SLOW')
  }

  toInfo(): SessionInfo {
    const { sid, uid, anonymous, rooms, clientId } = this
    return { sid, uid, anonymous, rooms: Array.from(rooms), ...(clientId === undefined ? {} : { clientId }) }
  }

  /** Writes the replay as fast as it is sent; what is published meanwhile is read from the backlog after it. */
  #catchUp(): void {
    const replay = this.#replay
    if (replay === undefined || this.#state !== 'open') return
    while (!this.#outbox.blocked) {
      const piece = replay.take()
      if (piece !== undefined) {
        this.#outbox.write(piece)
        continue
      }
      const missed = this.#host.missed(this, replay.cursor)
      if (missed.gaps.length > 0) this.#outbox.write(encodeGap(missed.gaps))
      replay.add(missed)
      if (missed.events.length > 0) continue
      this.#replay = undefined
      this.flush()
      return
    }
  }
}
