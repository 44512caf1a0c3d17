import type { Transport } from '../ports/transport.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import { Stream, type StreamHost } from '../stream/stream.ts'
import type { Timed } from '../util/timer-wheel.ts'
import type { Identification } from './identity.ts'

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
export interface SessionHost extends StreamHost {
  readonly upkeep: { heard(session: Session): void }
  /** Has a session ended by the one close path. */
  end(session: Session, code: CometCloseCode): void
}

/** What is done for a session from time to time. Times are whole milliseconds, which take no memory of their own. */
export interface Duties extends Timed {
  readonly session: Session
  /** When the session ends, whatever happens, and why. */
  readonly deadline: number
  readonly code: CometCloseCode
  /** When the next heartbeat is due that the client is to answer; infinite for one that does not. */
  beat: number
  /** When the client was last heard; undefined for one that does not answer heartbeats. */
  heard: number | undefined
}

const NONE: ReadonlySet<string> = new Set()

/** How many sessions there have been in this process. */
let made = 0

/** One client's stream, and whose it is. What only some have is made when they need it: idle sessions are many. */
export class Session extends Stream {
  declare protected readonly host: SessionHost
  /** Its connection's id, or the sid of the session it took over. */
  sid: string
  /** What tells it from the other connections of the same session. */
  readonly connection: string
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId: string | undefined
  /** Higher than that of any session whose client came before. */
  readonly number: number
  /** Whether presence knows of it. */
  present = false
  /** The rooms that its user left before presence knew of it: what presence says of them then is out of date. */
  dismissed: Set<string> | undefined
  /** The upkeep's own. */
  duties: Duties | undefined
  /** Why it ended. */
  ended: CometCloseCode | undefined
  #rooms: Set<string> | undefined

  constructor(
    host: SessionHost,
    transport: Transport,
    connection: string,
    { uid, anonymous }: Identification,
    clientId?: string,
  ) {
    super(host, transport)
    this.sid = connection
    this.connection = connection
    this.uid = uid
    this.anonymous = anonymous
    this.clientId = clientId
    made += 1
    this.number = made
  }

  /** The rooms it is in by itself, in the order it entered them. */
  get rooms(): ReadonlySet<string> {
    return this.#rooms ?? NONE
  }

  /** For the registry. */
  addRoom(rid: string): void {
    this.#rooms ??= new Set()
    this.#rooms.add(rid)
  }

  /** For the registry. */
  deleteRoom(rid: string): boolean {
    return this.#rooms?.delete(rid) ?? false
  }

  /** For the registry. */
  dismiss(rid: string): void {
    this.dismissed ??= new Set()
    this.dismissed.add(rid)
  }

  toInfo(): SessionInfo {
    const { sid, uid, anonymous, rooms, clientId } = this
    return { sid, uid, anonymous, rooms: Array.from(rooms), ...(clientId === undefined ? {} : { clientId }) }
  }

  protected override end(code: CometCloseCode): void {
    this.host.end(this, code)
  }

  protected override heard(): void {
    this.host.upkeep.heard(this)
  }
}
