import type { CometCloseCode } from '../protocol/close-codes.ts'
import { encodeControl } from '../stream/sse.ts'
import { Timetable } from '../util/timer-wheel.ts'
import { Pulse } from './heartbeat-groups.ts'
import type { Identification } from './identity.ts'
import type { Duties, Session } from './session.ts'

/** For how many intervals a client may be silent that said it answers heartbeats. */
const SILENT_INTERVALS = 3

interface UpkeepHost {
  readonly options: { readonly heartbeatInterval: number; readonly maxConnectionAge: number }
  readonly broker: { position(): string }
  end(session: Session, code: CometCloseCode): void
}

/** Heartbeats, and the end of sessions that are silent, old or expired: two timers for all. */
export class Upkeep {
  readonly #host: UpkeepHost
  readonly #timetable = new Timetable<Duties>((duties, now) => this.#attend(duties, now))
  /** The heartbeats that nobody answers. */
  readonly #pulse: Pulse<Session>
  /** The latest heartbeat: all sessions of a turn share it. */
  #beat: { readonly position: string; readonly frame: Buffer } | undefined

  constructor(host: UpkeepHost) {
    this.#host = host
    this.#pulse = new Pulse(host.options.heartbeatInterval, (session) => session.beat(this.#heartbeat()))
  }

  /** @param answers whether the client said it answers heartbeats */
  add(session: Session, { expiresAt }: Identification, answers: boolean): void {
    const now = Math.floor(performance.now())
    const { heartbeatInterval, maxConnectionAge } = this.#host.options
    const beats = heartbeatInterval > 0
    if (beats && !answers) this.#pulse.add(session)
    // A client that answers is known to be alive: its connection need not be renewed to find out.
    const aged =
      (answers && beats) || maxConnectionAge === 0
        ? Number.POSITIVE_INFINITY
        : now + Math.ceil(maxConnectionAge * (0.8 + Math.random() / 5))
    const expired = expiresAt === undefined ? Number.POSITIVE_INFINITY : now + expiresAt - Date.now()
    const [deadline, code] = aged < expired ? ([aged, 'AGED'] as const) : ([expired, 'EXPIRED'] as const)
    const heard = answers && beats ? now : undefined
    // At random, so that those who came together do not answer together.
    const beat =
      heard === undefined ? Number.POSITIVE_INFINITY : now + Math.ceil(heartbeatInterval * Math.random())
    const duties: Duties = { session, deadline, code, beat, heard, slot: undefined }
    session.duties = duties
    this.#timetable.set(duties, this.#next(duties))
  }

  remove(session: Session): void {
    this.#pulse.delete(session)
    if (session.duties !== undefined) this.#timetable.delete(session.duties)
  }

  /** The client was heard, or read on. */
  heard({ duties }: Session): void {
    if (duties?.heard !== undefined) duties.heard = Math.ceil(performance.now())
  }

  #attend(duties: Duties, now: number): number {
    const { session } = duties
    if (duties.deadline <= now) this.#host.end(session, duties.code)
    else if (this.#silentAt(duties) <= now) this.#host.end(session, 'SILENT')
    else if (duties.beat <= now) {
      duties.beat = Math.ceil(now) + this.#host.options.heartbeatInterval
      session.beat(this.#heartbeat())
    }
    return this.#next(duties)
  }

  #next(duties: Duties): number {
    return Math.min(duties.deadline, duties.beat, this.#silentAt(duties))
  }

  /** When the client, unless it is heard till then, has been silent for too long. */
  #silentAt({ heard }: Duties): number {
    if (heard === undefined) return Number.POSITIVE_INFINITY
    return heard + SILENT_INTERVALS * this.#host.options.heartbeatInterval
  }

  #heartbeat(): Buffer {
    const position = this.#host.broker.position()
    if (this.#beat?.position !== position) {
      this.#beat = { position, frame: encodeControl('heartbeat', {}, { id: position }) }
    }
    return this.#beat.frame
  }
}
