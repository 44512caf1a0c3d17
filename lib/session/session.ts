import { debug } from '../diagnostics.ts'
import type { GrantedBy } from '../ports/presence.ts'
import type { Transport } from '../ports/transport.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { Target } from '../protocol/target.ts'
import { Stream, type StreamContext } from '../stream/stream.ts'
import type { Timed } from '../util/timer-wheel.ts'
import type { Identification } from './identity.ts'

/** The part of the node that sessions use. All sessions of a node share it. */
export interface SessionContext extends StreamContext {
  readonly liveness: { markAlive(session: Session): void }
  /** Ends a session by the one close path. */
  endSession(session: Session, code: CometCloseCode): void
}

/** When something is due for a session. Times are whole milliseconds of `performance.now()`, which V8 stores inline. */
export interface LivenessTimers extends Timed {
  readonly session: Session
  /** When the connection is too old; infinite for one whose client answers heartbeats. */
  deadline: number
  /** When the next heartbeat is due for a client that answers; infinite for one that does not. */
  beat: number
  /** The number of heartbeats since the client was last seen. */
  unanswered: number
  /** Undefined for an identity that does not expire. */
  readonly expiry: Expiry | undefined
}

/** When an identity expires, in milliseconds since January 1, 1970 UTC. */
export interface Expiry extends Timed {
  readonly session: Session
  readonly expiresAt: number
}

const NONE: ReadonlyMap<string, GrantedBy> = new Map()

/**
 * A connected client: its stream, user and rooms. Optional parts are allocated on first use to keep idle sessions
 * small (0.8 kB, see docs/performance.md).
 */
export class Session extends Stream {
  declare protected readonly context: SessionContext
  /** The connection's id, until a takeover: then the sid of the session that was taken over. */
  sid: string
  /** Tells this connection from the others of the same session. */
  readonly connection: string
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId: string | undefined
  /** The `info` of its identity. */
  readonly info: unknown
  /** Whether presence knows of the session. */
  present = false
  /** Whether it was on another connection already when presence was told of its end. */
  moved = false
  /** The position that the client brought. Undefined without one, and without a `clientId`. */
  position: string | undefined
  /** The position from which on it brings events, as presence was told. Undefined without a `clientId`. */
  start: string | undefined
  /** What the page counted its request as. Undefined where it does not count. */
  requestNumber: number | undefined
  /** Higher than that of every session whose request came before, on this node. */
  order = 0
  /** Set and read by Liveness only. */
  timers: LivenessTimers | undefined
  /**
   * When hook `'connect'` was called, in whole milliseconds of `performance.now()`. Undefined until then: a session that
   * ends before causes no `'disconnect'`.
   */
  connectedAt: number | undefined
  /** Why the session ended; undefined while it goes on. */
  ended: CometCloseCode | undefined
  #rooms: Map<string, GrantedBy> | undefined

  constructor(
    context: SessionContext,
    transport: Transport,
    connection: string,
    { uid, anonymous, info }: Identification,
    clientId?: string,
  ) {
    super(context, transport)
    this.sid = connection
    this.connection = connection
    this.uid = uid
    this.anonymous = anonymous
    this.info = info
    this.clientId = clientId
  }

  /** The rooms that the session itself entered, in order, each with who let it in. */
  get rooms(): ReadonlyMap<string, GrantedBy> {
    return this.#rooms ?? NONE
  }

  /** For the Registry only, which keeps its own index in step. */
  addRoom(rid: string, by: GrantedBy): void {
    this.#rooms ??= new Map()
    this.#rooms.set(rid, by)
  }

  /** For the Registry only. */
  deleteRoom(rid: string): boolean {
    return this.#rooms?.delete(rid) ?? false
  }

  protected override end(code: CometCloseCode): void {
    this.context.endSession(this, code)
  }

  protected override onGap(targets: readonly Target[]): void {
    debug('session %s has a gap: %j', this.sid, targets)
  }

  protected override markAlive(): void {
    this.context.liveness.markAlive(this)
  }
}
