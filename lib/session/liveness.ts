import type { CometCloseCode } from '../protocol/close-codes.ts'
import { encodeControl } from '../stream/sse.ts'
import { TimerWheel } from '../util/timer-wheel.ts'
import { HeartbeatGroups } from './heartbeat-groups.ts'
import type { Identification } from './identity.ts'
import type { Expiry, LivenessTimers, Session } from './session.ts'

/** The number of heartbeats that a client with `hb=1` may leave unanswered. Each has one interval to be answered. */
const MOST_UNANSWERED = 3

/**
 * The number of heartbeats after which a client is silent although this process stood still. A process that is late all
 * the time must not keep dead clients for ever.
 */
const MOST_IN_PAUSES = 2 * MOST_UNANSWERED

/** The part of `maxConnectionAge` over which the ages of connections spread. */
const AGE_SPREAD = 0.2

/** The shortest pause in which connections count as grown old together, in milliseconds. */
const SHORTEST_PAUSE_MS = 1_000

/** The part of the node that Liveness uses. */
interface LivenessContext {
  readonly options: { readonly heartbeatInterval: number; readonly maxConnectionAge: number }
  /** The position of the latest event. */
  readonly position: string
  endSession(session: Session, code: CometCloseCode): void
}

/**
 * Sends heartbeats, and ends sessions that are silent (SILENT), old (AGED) or expired (EXPIRED). All sessions share
 * three timers.
 *
 * A client is judged by heartbeats that were sent, and not by the clock: while this process stands still it sends none,
 * and does not read what was answered. After a pause each client gets one more heartbeat before it is judged.
 */
export class Liveness {
  readonly #context: LivenessContext
  readonly #wheel = new TimerWheel<LivenessTimers>((timers, now) => this.#check(timers, now))
  /** The identities that expire. On the wall clock, which may be set. */
  readonly #expiries = new TimerWheel<Expiry>(
    ({ session }) => {
      this.#context.endSession(session, 'EXPIRED')
      return Number.POSITIVE_INFINITY
    },
    () => Date.now(),
  )
  /** The sessions whose clients do not answer heartbeats. */
  readonly #groups: HeartbeatGroups<Session>
  /** The latest heartbeat. All sessions of a turn share it. */
  #heartbeat: { readonly position: string; readonly frame: Buffer } | undefined
  /** The position of the latest event when {@link #hasEvents} was called last. */
  #latest = ''

  constructor(context: LivenessContext) {
    this.#context = context
    this.#groups = new HeartbeatGroups(
      context.options.heartbeatInterval,
      (session) => session.beat(this.#encodeHeartbeat()),
      () => this.#hasEvents(),
    )
  }

  /**
   * Begins to watch a session. Called once, when its stream has started.
   *
   * @param answers whether the client said that it answers heartbeats (`hb=1`)
   */
  add(session: Session, { expiresAt }: Identification, answers: boolean): void {
    const now = Math.floor(performance.now())
    const { heartbeatInterval, maxConnectionAge } = this.#context.options
    const beats = heartbeatInterval > 0
    if (beats && !answers) this.#groups.add(session)
    // A client that answers is known to be alive: its connection need not be renewed to find out.
    const deadline =
      (answers && beats) || maxConnectionAge === 0
        ? Number.POSITIVE_INFINITY
        : now + Math.ceil(maxConnectionAge * (1 - AGE_SPREAD * Math.random()))
    // At random, so that clients that connected together do not answer together.
    const beat =
      answers && beats ? now + Math.ceil(heartbeatInterval * Math.random()) : Number.POSITIVE_INFINITY
    const expiry = expiresAt === undefined ? undefined : { session, expiresAt, slot: undefined }
    const timers: LivenessTimers = { session, deadline, beat, unanswered: 0, expiry, slot: undefined }
    session.timers = timers
    this.#wheel.set(timers, this.#nextTime(timers))
    if (expiry !== undefined) this.#expiries.set(expiry, expiry.expiresAt)
  }

  /** Idempotent; also for a session that was never added. */
  remove(session: Session): void {
    const { timers } = session
    this.#groups.delete(session)
    if (timers === undefined) return
    this.#wheel.delete(timers)
    if (timers.expiry !== undefined) this.#expiries.delete(timers.expiry)
  }

  /** The client sent a packet, or read what it was sent. */
  markAlive({ timers }: Session): void {
    if (timers !== undefined) timers.unanswered = 0
  }

  #check(timers: LivenessTimers, now: number): number {
    if (timers.deadline <= now) this.#age(timers, now)
    else if (timers.beat <= now) {
      if (this.#isSilent(timers)) this.#context.endSession(timers.session, 'SILENT')
      else this.#beat(timers, now)
    }
    return this.#nextTime(timers)
  }

  #nextTime({ deadline, beat }: LivenessTimers): number {
    return Math.min(deadline, beat)
  }

  #beat(timers: LivenessTimers, now: number): void {
    timers.beat = Math.ceil(now) + this.#context.options.heartbeatInterval
    timers.unanswered += 1
    timers.session.beat(this.#encodeHeartbeat())
  }

  /** Ends a connection that is too old, unless it got old in a pause of this process: all of them would end at once. */
  #age(timers: LivenessTimers, now: number): void {
    const spread = this.#context.options.maxConnectionAge * AGE_SPREAD
    if (now - timers.deadline < Math.max(spread / 4, SHORTEST_PAUSE_MS))
      this.#context.endSession(timers.session, 'AGED')
    else timers.deadline = Math.ceil(now + spread * Math.random())
  }

  /** Tells whether the client left its heartbeats unanswered. Called when the next one is due. */
  #isSilent({ beat, unanswered }: LivenessTimers): boolean {
    if (unanswered < MOST_UNANSWERED) return false
    const sent = beat - this.#context.options.heartbeatInterval
    return unanswered >= MOST_IN_PAUSES || !this.#wheel.stoodStillSince(sent)
  }

  /** Tells whether there was an event since the last call. */
  #hasEvents(): boolean {
    const latest = this.#latest
    this.#latest = this.#context.position
    return this.#latest !== latest
  }

  #encodeHeartbeat(): Buffer {
    const position = this.#context.position
    if (this.#heartbeat?.position !== position) {
      this.#heartbeat = { position, frame: encodeControl('heartbeat', {}, { id: position }) }
    }
    return this.#heartbeat.frame
  }
}
