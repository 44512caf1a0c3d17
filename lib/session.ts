import type { CometCloseCode } from './codes.ts'
import type { Flusher } from './flusher.ts'
import type { Identification } from './identity.ts'
import { Outbox } from './outbox.ts'
import type { Pending } from './pending.ts'
import { type Owed, Replay } from './replay.ts'
import { encodeControl } from './sse.ts'
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
  readonly upkeep: { heard(session: Session): void }
  readonly options: { readonly maxBufferedBytes: number; readonly writeTimeout: number }
  /** Has a session ended by the one close path. */
  end(session: Session, code: CometCloseCode): void
}

/** Has no position: those of what is owed come in their turn. */
const BARE_HEARTBEAT = encodeControl('heartbeat', {})

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
  /** Set while the session has yet to catch up with what is published. */
  #replay: Replay | undefined = new Replay()
  /** Whether a heartbeat goes out with the next piece of a replay. */
  #beats = false
  /** Whether it is about to be ended because it reads too slowly. */
  #isTooSlow = false
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

  /** Whether it has caught up: it takes frames by {@link push}, and until then what it is owed by {@link owe}. */
  get live(): boolean {
    return this.#replay === undefined
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** True until the stream has begun. */
  get opening(): boolean {
    return this.#state === 'opening'
  }

  /** Sends a live session a frame. The same Buffer should be given to all sessions that get it. */
  push(frame: Buffer): void {
    if (this.#state === 'closed') return
    this.#pending ??= this.#host.flusher.add(this)
    this.#pending = this.#pending.with(frame)
  }

  /** Owes something to a session that has yet to catch up. */
  owe(item: Owed): void {
    if (this.#state === 'closed' || this.#isTooSlow || this.#replay === undefined) return
    this.#replay.add(item)
    if (this.#replay.exceeds(this.#host.options.maxBufferedBytes)) this.#endSlow()
  }

  /** Sends a heartbeat: in its order, or while the session catches up as soon as something can be sent. */
  beat(frame: Buffer): void {
    if (this.live) this.push(frame)
    else this.#beats = true
  }

  /** Sends some of the past at the pace at which it is read. What is published meanwhile comes after it. */
  recall(items: readonly Owed[]): void {
    if (this.#state === 'closed' || items.length === 0) return
    if (this.live) this.flush()
    this.#replay ??= new Replay()
    this.#replay.recall(items)
    this.#catchUp()
  }

  /** Puts what the client missed before what it has been owed since. @returns false when there is nothing of either */
  resume(missed: readonly Owed[]): boolean {
    this.#replay?.begin(missed)
    return this.#replay?.isEmpty === false
  }

  /** Accepts the client, whose stream begins with `first` and goes on with what it is owed, if anything. */
  open(first: Buffer): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#transport.open()
    this.#outbox.write(first)
    this.#catchUp()
  }

  /** Writes what is pending. */
  flush(): void {
    if (this.#replay !== undefined || this.#state !== 'open') return
    const bytes = this.#pending?.bytes()
    this.#pending = undefined
    if (bytes === undefined) return
    this.#outbox.write(bytes)
    if (this.#outbox.excess > this.#host.options.maxBufferedBytes) this.#endSlow()
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
      const bytes = this.#pending?.bytes()
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
    // Only who reads acknowledges. Heartbeats lie behind what is still on its way, and so do their answers.
    this.#host.upkeep.heard(this)
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

  /** Writes the replay as fast as it is sent. */
  #catchUp(): void {
    while (this.#replay !== undefined && this.#state === 'open' && !this.#outbox.blocked) {
      if (this.#beats) this.#outbox.write(BARE_HEARTBEAT)
      this.#beats = false
      const piece = this.#replay.take()
      if (piece === undefined) this.#replay = undefined
      else this.#outbox.write(piece)
    }
  }

  /** Not at once: this is amid the delivery of an event, which hooks must not see the middle of. */
  #endSlow(): void {
    if (this.#isTooSlow) return
    this.#isTooSlow = true
    queueMicrotask(() => this.#host.end(this, 'SLOW'))
  }
}
