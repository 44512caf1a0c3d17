import { History } from '../history/history.ts'
import { ActivityFeed } from '../hooks/activity-feed.ts'
import { Hooks } from '../hooks/hooks.ts'
import { SessionFeed } from '../hooks/session-feed.ts'
import { newNodeId } from '../ids.ts'
import type { ResolvedOptions } from '../options.ts'
import type { BrokerConnection } from '../ports/broker.ts'
import type { Command, ControllerConnection } from '../ports/controller.ts'
import type { PresenceConnection, PresenceHandler, SessionConnection } from '../ports/presence.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { DisconnectLog } from '../session/disconnect-log.ts'
import { Liveness } from '../session/liveness.ts'
import { MembershipChanges } from '../session/membership-changes.ts'
import { Newcomers } from '../session/newcomers.ts'
import { Registry } from '../session/registry.ts'
import type { Session, SessionContext } from '../session/session.ts'
import { StayAwayTokens } from '../session/stay-away-token.ts'
import { UplinkStates } from '../session/uplink-states.ts'
import { Flusher } from '../stream/flusher.ts'
import { clock } from '../util/clock.ts'
import { ConnectBatcher } from '../util/connect-batcher.ts'
import { TokenBuckets } from '../util/token-buckets.ts'
import { CommandOrder } from './command-order.ts'
import { Disconnections } from './disconnections.ts'
import { PortStates } from './port-states.ts'
import { Postponed } from './postponed.ts'
import { restorableSessions } from './restorable-sessions.ts'
import { Router } from './router.ts'

/** The seconds whose bytes of past events a user may ask for at once: option `historyRate`. */
const HISTORY_BURST = 16

/**
 * The operations that the node's own parts start. They import the node, so the composition root (`Comet`) hands them
 * in.
 */
export interface NodeCallbacks {
  /** Carries out a command on this node, whichever node it came from. Answers and rejections travel back. */
  onCommand(node: Node, command: Command): Promise<unknown>
  /** Ends a session by the one close path. Called by streams and timers. Never throws. */
  onSessionEnd(node: Node, session: Session, code: CometCloseCode): void
  /** Ends a connection whose session is on another one. Never throws. */
  onSuperseded(node: Node, session: SessionConnection): void
  /** Tells all nodes of a membership that presence has got back. Never throws. */
  onMembershipRestored(node: Node, uid: string, rid: string): void
}

/** A call of `publishAll`. */
export interface EventRun {
  /** Settles when its last event is published, too. */
  readonly ended: Promise<void>
  /** Ends it: its last event has the code of the error. */
  fail(error: unknown): void
}

/** The context of all operations: the parts of one Comet, its connections to the ports, and its counters. */
export class Node implements SessionContext {
  readonly id = newNodeId()
  readonly options: ResolvedOptions & { readonly server: string }
  readonly hooks = new Hooks()
  readonly ports = new PortStates(this.hooks)
  readonly activity = new ActivityFeed(this.hooks)
  readonly sessionFeed = new SessionFeed(this.hooks)
  readonly registry = new Registry()
  readonly disconnects = new DisconnectLog()
  readonly newcomers = new Newcomers()
  readonly membershipChanges = new MembershipChanges()
  readonly connectBatcher = new ConnectBatcher()
  readonly flusher = new Flusher()
  readonly stayAwayTokens = new StayAwayTokens()
  /** Settles when the broker and presence were reached. */
  readonly ready: Promise<void>
  readonly broker: BrokerConnection
  readonly presence: PresenceConnection
  readonly controller: ControllerConnection
  readonly history: History
  readonly historyTokens: TokenBuckets
  readonly router: Router
  /** With option `heard: 'record'`: the HEARD that presence may be told of now, by uid. */
  readonly heardTokens = new TokenBuckets(1, 1)
  /** The streams that users may open now, by uid: option `connectRate`. */
  readonly connectTokens: TokenBuckets
  readonly liveness: Liveness
  readonly uplinkStates: UplinkStates
  readonly disconnections = new Disconnections()
  readonly commandOrder = new CommandOrder()
  readonly postponed = new Postponed()
  /** The calls of `publishAll` that have not ended. */
  readonly runs = new Set<EventRun>()
  /** See {@link CometStats}. */
  readonly counters = { connections: 0, packets: 0, published: 0, delivered: 0 }
  /** The number of sessions that ended, by code. */
  readonly closes: Partial<Record<CometCloseCode, number>> = {}
  /** True once `Comet.close` was called: newcomers get the temporary answer. */
  closing = false
  /** True once all sessions have ended. Until then hooks may still publish, such as who left. */
  closed = false
  readonly #callbacks: NodeCallbacks

  constructor(options: ResolvedOptions, callbacks: NodeCallbacks) {
    const { id } = this
    const { namespace, historyBytes: bytes, historyAge: age } = options
    this.options = { ...options, server: options.server ?? `${namespace}.${id}` }
    this.#callbacks = callbacks
    this.broker = options.broker.join({
      id,
      namespace,
      server: this.options.server,
      receives: true,
      history: { bytes, age },
      begin: (position) => this.router.begin(position),
      restore: (delivery, ago) => this.router.restore(delivery, ago),
      deliver: (delivery) => this.router.deliver(delivery),
      secret: () => this.presence.secret(),
      onError: (error) => this.hooks.report(error),
      onStatus: (status) => this.ports.set('broker', status),
    })
    this.presence = options.presence.join({
      id,
      namespace,
      activity: options.activity,
      grace: options.offlineGrace,
      onActivity: (events) => this.#onActivity(events),
      onRecord: this.#recordTaker(),
      onRoomChange: () => {},
      sessions: () => restorableSessions(this.registry),
      onSuperseded: (session) => callbacks.onSuperseded(this, session),
      onMembershipRestored: (uid, rid) => callbacks.onMembershipRestored(this, uid, rid),
      onStatus: (status) => {
        this.ports.set('presence', status)
        if (status.up) this.postponed.run()
      },
    })
    this.controller = options.controller.join({
      id,
      namespace,
      receives: true,
      handle: (command) => this.handleCommand(command),
      onStatus: (status) => this.ports.set('controller', status),
    })
    const compare = (a: string, b: string) => this.broker.compare(a, b)
    this.history = new History({ bytes, age }, compare, this.broker.position())
    this.historyTokens = new TokenBuckets(options.historyRate, HISTORY_BURST * options.historyRate)
    this.router = new Router(this)
    this.connectTokens = new TokenBuckets(options.connectRate / 60, 2 * options.maxSessionsPerUser)
    this.liveness = new Liveness(this)
    this.uplinkStates = new UplinkStates(options.packetRate)
    this.ready = this.#start()
  }

  /** Whether the broker was reached: until then newcomers get the temporary answer. */
  get isReady(): boolean {
    return this.broker.position() !== undefined
  }

  /** The position of the last event that was delivered to this node. Empty until {@link isReady}. */
  get position(): string {
    return this.broker.position() ?? ''
  }

  async #start(): Promise<void> {
    const secret = this.presence.secret().then((text) => this.stayAwayTokens.use(text))
    await Promise.all([this.broker.ready, secret])
  }

  #onActivity(events: readonly UserActivityEvent[]): void {
    // Presence has a clock of its own. What this node says next must not have an earlier time.
    for (const { time } of events) clock.observe(time)
    this.activity.push(events)
  }

  /** What gives the record to a broker that tells others of it. */
  #recordTaker(): PresenceHandler['onRecord'] {
    const { broker, ports } = this
    if (broker.activity === undefined) return undefined
    let hasFailed = false
    return async (events) => {
      try {
        await broker.activity?.(events)
        hasFailed = false
      } catch (error) {
        // They are given again and again. Once is enough to hear why.
        if (!hasFailed) ports.reportFailure('broker', error)
        hasFailed = true
        throw error
      }
    }
  }

  /** Carries out a command on this node. See {@link NodeCallbacks.onCommand}. */
  handleCommand(command: Command): Promise<unknown> {
    return this.#callbacks.onCommand(this, command)
  }

  endSession(session: Session, code: CometCloseCode): void {
    this.#callbacks.onSessionEnd(this, session, code)
  }

  /**
   * Picks the time that a client waits before it reconnects, in milliseconds: option `retry` with a jitter of a
   * quarter either way, so that clients that lost their connections together do not reconnect together.
   */
  reconnectDelay(): number {
    return Math.round(this.options.retry * (0.75 + Math.random() / 2))
  }
}
