import type { CometCloseCode } from '../protocol/close-codes.ts'
import { encodeControl } from '../stream/sse.ts'
import { TimerWheel } from '../util/timer-wheel.ts'
import { HeartbeatGroups } from './heartbeat-groups.ts'
import type { Identification } from './identity.ts'
import type { LivenessTimers, Session } from './session.ts'

/** The number of heartbeat intervals that a client with `hb=1` may be silent. */
const SILENT_INTERVALS = 3

/** The part of the node that Liveness uses. */
interface LivenessContext {
  readonly options: { readonly heartbeatInterval: number; readonly maxConnectionAge: number }
  readonly broker: { position(): string }
  endSession(session: Session, code: CometCloseCode): void
}

/**
 * Sends heartbeats, and ends sessions that are silent (SILENT), old (AGED) or expired (EXPIRED). All sessions share
 * two timers.
 */
export class Liveness {
  readonly #context: LivenessContext
  readonly #wheel = new TimerWheel<LivenessTimers>((timers, now) => this.#check(timers, now))
  /** The sessions whose clients do not answer heartbeats. */
  readonly #groups: HeartbeatGroups<Session>
  /** The latest heartbeat. All sessions of a turn share it. */
  #heartbeat: { readonly position: string; readonly frame: Buffer } | undefined

  constructor(context: LivenessContext) {
    this.#context = context
    this.#groups = new HeartbeatGroups(context.options.heartbeatInterval, (session) =>
      session.beat(this.#encodeHeartbeat()),
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
    const aged =
      (answers && beats) || maxConnectionAge === 0
        ? Number.POSITIVE_INFINITY
        : now + Math.ceil(maxConnectionAge * (0.8 + Math.random() / 5))
    const expired = expiresAt === undefined ? Number.POSITIVE_INFINITY : now + expiresAt - Date.now()
    const [deadline, code] = aged < expired ? ([aged, 'AGED'] as const) : ([expired, 'EXPIRED'] as const)
    const lastSeen = answers && beats ? now : undefined
    // At random, so that clients that connected together do not answer together.
    const beat =
      lastSeen === undefined ? Number.POSITIVE_INFINITY : now + Math.ceil(heartbeatInterval * Math.random())
    const timers: LivenessTimers = { session, deadline, code, beat, lastSeen, slot: undefined }
    session.timers = timers
    this.#wheel.set(timers, this.#nextTime(timers))
  }

  /** Idempotent; also for a session that was never added. */
  remove(session: Session): void {
    this.#groups.delete(session)
    if (session.timers !== undefined) this.#wheel.delete(session.timers)
  }

  /** The client sent a packet, or read what it was sent. */
  markAlive({ timers }: Session): void {
    if (timers?.lastSeen !== undefined) timers.lastSeen = Math.ceil(performance.now())
  }

  #check(timers: LivenessTimers, now: number): number {
    const { session } = timers
    if (timers.deadline <= now) this.#context.endSession(session, timers.code)
    else if (this.#silentAt(timers) <= now) this.#context.endSession(session, 'SILENT')
    else if (timers.beat <= now) {
      timers.beat = Math.ceil(now) + this.#context.options.heartbeatInterval
      session.beat(this.#encodeHeartbeat())
    }
    return this.#nextTime(timers)
  }

  #nextTime(timers: LivenessTimers): number {
    return Math.min(timers.deadline, timers.beat, this.#silentAt(timers))
  }

  /** Computes when the client counts as silent, unless it is seen before. */
  #silentAt({ lastSeen }: LivenessTimers): number {
    if (lastSeen === undefined) return Number.POSITIVE_INFINITY
    return lastSeen + SILENT_INTERVALS * this.#context.options.heartbeatInterval
  }

  #encodeHeartbeat(): Buffer {
    const position = this.#context.broker.position()
    if (this.#heartbeat?.position !== position) {
      this.#heartbeat = { position, frame: encodeControl('heartbeat', {}, { id: position }) }
    }
    return this.#heartbeat.frame
  }
}
