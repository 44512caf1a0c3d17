import { CometError } from '../errors.ts'
import { type Timed, TimerWheel } from '../util/timer-wheel.ts'

/** The number of SENDs with an id that a session remembers, so that a repeated one has no second effect. */
const REMEMBERED = 64

/** The most characters that the remembered answers of a session may have together. */
const REMEMBERED_LENGTH = 65_536

const NONE: ReadonlyMap<string, string> = new Map()

/** A packet that waits for its turn. */
interface WaitingPacket {
  readonly bytes: number
  start(): void
  reject(error: CometError): void
}

/** The packets of one session: their order, their rate, and the answers to the latest SENDs. */
export class UplinkState implements Timed {
  readonly sid: string
  /** The answers to the latest SENDs by id, oldest first. Undefined stands for an answer without content. */
  readonly answers = new Map<string, string | undefined>()
  /** The SEND with an id that is handled now. */
  running: { readonly id: string; readonly answer: Promise<string | undefined> } | undefined
  #runningElsewhere: Map<string, string> | undefined
  slot: number | undefined
  /** How long a takeover may come, and since when. Set while it may. */
  grace: { readonly since: number; readonly milliseconds: number } | undefined
  /** By connection: settles when the answers that it brings from another node are here. */
  #adoptions: Map<string, Promise<void>> | undefined
  /** The packets that wait for the one that is handled, in order. */
  readonly #waiting = new Set<WaitingPacket>()
  #waitingBytes = 0
  #isHandling = false
  #answerLength = 0
  #tokens: number
  /** When the token bucket was filled last, on the clock of `performance.now()`. */
  #filled = performance.now()

  constructor(sid: string, rate: number) {
    this.sid = sid
    this.#tokens = 2 * rate
  }

  /**
   * Takes a token from a bucket that holds `2 * rate` of them and gets `rate` a second.
   *
   * @returns false when it is empty
   */
  take(rate: number): boolean {
    const time = performance.now()
    this.#tokens = Math.min(2 * rate, this.#tokens + ((time - this.#filled) / 1000) * rate)
    this.#filled = time
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /**
   * Runs `work` after all that was enqueued before has settled, or rejects when the session ends before.
   *
   * @param bytes the size of the packet, which is in memory while it waits
   * @throws CometError TOO_MANY_PACKETS when `limit` others are not done yet, or those that wait would have more than
   *   `maxBytes`; NO_SUCH_SESSION when the session ends
   */
  async enqueue<T>(
    work: () => Promise<T>,
    limit: number,
    bytes = 0,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    if (this.#isHandling) {
      if (this.#waiting.size + 1 >= limit || this.#waitingBytes + bytes > maxBytes) {
        throw new CometError('TOO_MANY_PACKETS', 'Too many packets wait for one that takes long.')
      }
      await this.#turn(bytes)
    }
    this.#isHandling = true
    try {
      return await work()
    } finally {
      const next = this.#takeFirst()
      if (next === undefined) this.#isHandling = false
      else next.start()
    }
  }

  /** A connection brings answers from another node. Packets wait for them. @param fetched never rejects */
  adopt(connection: string, fetched: Promise<void>): void {
    const adoptions = this.#adoptions ?? new Map()
    this.#adoptions = adoptions.set(connection, fetched)
    fetched.then(() => adoptions.delete(connection))
    // Rejected when the session ends before: it is taken over with what was fetched all the same.
    this.enqueue(() => fetched, Number.POSITIVE_INFINITY).catch(() => {})
  }

  /**
   * Settles when the answers that a connection brings are here. Those that a later connection brings are not awaited: it
   * may have taken over from the node that asks, which would wait for itself.
   */
  async adopted(connection: string): Promise<void> {
    await this.#adoptions?.get(connection)
  }

  /** The SENDs that other nodes still handled when the session was taken over from them: the node of each, by id. */
  get runningElsewhere(): ReadonlyMap<string, string> {
    return this.#runningElsewhere ?? NONE
  }

  /** Notes that another node still handles a SEND. Forgets the oldest one that nobody has asked for again. */
  noteRunning(id: string, node: string): void {
    this.#runningElsewhere ??= new Map()
    this.#runningElsewhere.set(id, node)
    const [oldest] = this.#runningElsewhere.keys()
    if (this.#runningElsewhere.size > REMEMBERED && oldest !== undefined) this.forgetRunning(oldest)
  }

  forgetRunning(id: string): void {
    this.#runningElsewhere?.delete(id)
  }

  /** Rejects the packets that wait: their session has ended. The one that is handled goes on. */
  rejectWaiting(): void {
    for (let packet = this.#takeFirst(); packet !== undefined; packet = this.#takeFirst()) {
      packet.reject(new CometError('NO_SUCH_SESSION'))
    }
  }

  /** Settles when it is this packet's turn. `#isHandling` stays true from one turn to the next. */
  #turn(bytes: number): Promise<void> {
    this.#waitingBytes += bytes
    return new Promise((start, reject) => this.#waiting.add({ bytes, start, reject }))
  }

  #takeFirst(): WaitingPacket | undefined {
    const [first] = this.#waiting
    if (first === undefined) return undefined
    this.#waiting.delete(first)
    this.#waitingBytes -= first.bytes
    return first
  }

  /** Remembers the answer to a SEND, and forgets the oldest ones beyond the bounds. */
  remember(id: string, answer: string | undefined): void {
    this.answers.set(id, answer)
    this.#answerLength += answer?.length ?? 0
    for (const [oldest, its] of this.answers) {
      if (this.answers.size <= REMEMBERED && this.#answerLength <= REMEMBERED_LENGTH) break
      this.answers.delete(oldest)
      this.#answerLength -= its?.length ?? 0
    }
  }
}

/**
 * The uplink states of a node's sessions, by sid. A state outlives its connection for as long as a takeover may come:
 * a SEND that is repeated after a reconnect is recognized, and a reconnect brings no new packet allowance.
 */
export class UplinkStates {
  readonly #rate: number
  readonly #states = new Map<string, UplinkState>()
  readonly #wheel: TimerWheel<UplinkState> = new TimerWheel((state, now) => {
    const { sid, grace } = state
    state.grace = undefined
    // What came while this process stood still is not read yet: it waits once more.
    if (grace !== undefined && this.#wheel.stoodStillSince(grace.since)) return now + grace.milliseconds
    this.#states.delete(sid)
    return Number.POSITIVE_INFINITY
  })

  /** @param rate packets a second */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** Finds a session's state, which is allocated with its first packet. */
  of(sid: string): UplinkState {
    let state = this.#states.get(sid)
    if (state === undefined) {
      state = new UplinkState(sid, this.#rate)
      this.#states.set(sid, state)
    }
    return state
  }

  /** Finds the state of a session that has one. */
  find(sid: string): UplinkState | undefined {
    return this.#states.get(sid)
  }

  /** Keeps a state whose session was taken over. */
  keep(sid: string): void {
    const state = this.#states.get(sid)
    if (state !== undefined) this.#wheel.delete(state)
  }

  /** Drops the state of a session that ended, and rejects its packets that wait. @param grace milliseconds during which a takeover may come */
  release(sid: string, grace: number): void {
    const state = this.#states.get(sid)
    if (state === undefined) return
    state.rejectWaiting()
    const since = performance.now()
    state.grace = { since, milliseconds: grace }
    if (grace > 0) this.#wheel.set(state, since + grace)
    else this.#states.delete(sid)
  }

  /** Drops all states, and stops the timer. */
  close(): void {
    this.#wheel.clear()
    for (const state of this.#states.values()) state.rejectWaiting()
    this.#states.clear()
  }
}
