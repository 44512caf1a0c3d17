import { Backlog, type Missed } from '../history/history.ts'
import { ActivityFeed } from '../hooks/activity-feed.ts'
import { Hooks } from '../hooks/hooks.ts'
import { newNodeId } from '../ids.ts'
import type { ResolvedOptions } from '../options.ts'
import type { BrokerLink, Delivery } from '../ports/broker.ts'
import type { Command, ControllerLink } from '../ports/controller.ts'
import type { PresenceLink } from '../ports/presence.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { Target } from '../protocol/event.ts'
import { targetIn } from '../protocol/target.ts'
import { Upkeep } from '../session/liveness.ts'
import { Registry } from '../session/registry.ts'
import type { Session, SessionHost } from '../session/session.ts'
import { Marks } from '../session/stay-away-token.ts'
import { Uplinks } from '../session/uplink-states.ts'
import { Flusher } from '../stream/flusher.ts'
import type { Owed } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'
import { Gathering } from '../util/connect-batcher.ts'

/** What a hub has others do, which know it. */
export interface HubWork {
  /** Carries out what other nodes ask of this one. */
  handle(hub: Hub, command: Command): Promise<unknown>
  /** Ends a session. */
  end(hub: Hub, session: Session, code: CometCloseCode): void
}

/** One node: what the parts of a Comet share. */
export class Hub implements SessionHost {
  readonly id = newNodeId()
  readonly options: ResolvedOptions
  readonly hooks = new Hooks()
  readonly activity = new ActivityFeed(this.hooks)
  readonly registry = new Registry()
  /** Those who are identified, but not let in yet. */
  readonly arrivals = new Set<Session>()
  readonly gathering = new Gathering()
  readonly flusher = new Flusher()
  readonly marks = new Marks()
  readonly upkeep: Upkeep
  readonly uplinks: Uplinks
  readonly backlog: Backlog
  readonly broker: BrokerLink
  readonly presence: PresenceLink
  readonly controller: ControllerLink
  /** What `stats` counts. */
  readonly counters = { connections: 0, packets: 0, published: 0, delivered: 0 }
  /** How many sessions ended for each reason. */
  readonly closes: Partial<Record<CometCloseCode, number>> = {}
  /** True once the Comet is closing: newcomers are sent away. */
  closing = false
  /** True once it has closed. Until then hooks may still publish, such as who left. */
  closed = false
  readonly #work: HubWork
  /** How many events this node was delivered. */
  #ordinal = 0

  constructor(options: ResolvedOptions, work: HubWork) {
    const { id } = this
    const { namespace, backlogEvents: count, backlogBytes: bytes, backlogAge: age } = options
    this.options = { ...options, server: options.server ?? `${namespace}.${id}` }
    this.#work = work
    this.broker = options.broker.join({ id, namespace, deliver: (delivery) => this.#deliver(delivery) })
    this.presence = options.presence.join({
      id,
      namespace,
      onActivity: (events) => this.activity.push(events),
    })
    this.controller = options.controller.join({
      id,
      namespace,
      handle: (command) => work.handle(this, command),
    })
    this.backlog = new Backlog(
      { count, bytes, age },
      (a, b) => this.broker.compare(a, b),
      this.broker.position(),
    )
    this.upkeep = new Upkeep(this)
    this.uplinks = new Uplinks(options.uplinkRate)
  }

  end(session: Session, code: CometCloseCode): void {
    this.#work.end(this, session, code)
  }

  /** What the session's targets were sent after a position and is for this session. */
  missed(session: Session, position: string): Missed {
    const { events, gaps } = this.backlog.since(position, this.#targetsOf(session))
    return { events: events.filter(({ except }) => !isExcepted(session, except)), gaps }
  }

  /** How long a client should wait before it reconnects: spread, so that those who left together do not come back together. */
  retry(): number {
    return Math.round(this.options.retry * (0.75 + Math.random() / 2))
  }

  #deliver(delivery: Delivery): void {
    const { uid, rid, evt, except, position } = delivery
    this.#ordinal += 1
    const frame = encodeBlock({ id: position, data: evt })
    let owed: Owed | undefined = this.#keeps(delivery)
      ? this.backlog.append(delivery, frame, this.#ordinal)
      : undefined
    for (const session of this.#addressed(uid, rid)) {
      if (isExcepted(session, except)) continue
      this.counters.delivered += 1
      if (session.live) {
        session.push(frame)
        continue
      }
      owed ??= { ordinal: this.#ordinal, target: targetIn(delivery), frame, held: frame.length }
      session.owe(owed)
    }
  }

  #keeps({ uid, rid, transient }: Delivery): boolean {
    const { history } = this.options
    if (transient) return false
    if (history === undefined || uid !== undefined || rid === undefined) return true
    try {
      // A promise is no yes: what must not be kept must not be kept by mistake.
      return history(rid) === true
    } catch (error) {
      this.hooks.report(error)
      return false
    }
  }

  #addressed(uid: string | undefined, rid: string | undefined): Iterable<Session> {
    if (uid !== undefined) return this.registry.ofUser(uid)
    return rid === undefined ? this.registry.all() : this.registry.inRoom(rid)
  }

  *#targetsOf(session: Session): Iterable<Target> {
    yield { uid: session.uid }
    for (const rid of this.registry.roomsOf(session)) yield { rid }
    yield {}
  }
}

/** Whether an event passes over a session. */
export function isExcepted({ sid, uid }: Session, except: Delivery['except']): boolean {
  if (except === undefined) return false
  return 'sid' in except ? sid === except.sid : uid === except.uid
}
