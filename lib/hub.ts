import { ActivityFeed } from './activity.ts'
import type { BrokerLink, Delivery } from './broker.ts'
import type { Command, ControllerLink } from './controller.ts'
import { Flusher } from './flusher.ts'
import { Heartbeat } from './heartbeat.ts'
import { Hooks } from './hooks.ts'
import { newNodeId } from './ids.ts'
import type { ResolvedOptions } from './options.ts'
import type { PresenceLink } from './presence.ts'
import { Registry } from './registry.ts'
import type { Session } from './session.ts'
import { encodeBlock, encodeControl } from './sse.ts'

/** One node: what the parts of a Comet share. */
export class Hub {
  readonly id = newNodeId()
  readonly options: ResolvedOptions
  readonly hooks = new Hooks()
  readonly activity = new ActivityFeed(this.hooks)
  readonly registry = new Registry()
  readonly flusher = new Flusher()
  readonly heartbeat: Heartbeat
  readonly broker: BrokerLink
  readonly presence: PresenceLink
  readonly controller: ControllerLink
  /** What `stats` counts. */
  readonly counters = { connections: 0, packets: 0, published: 0, delivered: 0 }
  /** True once the Comet is closing: newcomers are sent away. */
  closing = false
  /** True once it has closed. Until then hooks may still publish, such as who left. */
  closed = false

  /** @param handle carries out what other nodes ask of this one */
  constructor(options: ResolvedOptions, handle: (hub: Hub, command: Command) => Promise<unknown>) {
    const { id } = this
    const { namespace } = options
    this.options = { ...options, server: options.server ?? `${namespace}.${id}` }
    this.broker = options.broker.join({ id, namespace, deliver: (delivery) => this.#deliver(delivery) })
    this.presence = options.presence.join({
      id,
      namespace,
      onActivity: (events) => this.activity.push(events),
    })
    this.controller = options.controller.join({ id, namespace, handle: (command) => handle(this, command) })
    this.heartbeat = new Heartbeat(options.heartbeatInterval, () =>
      encodeControl('heartbeat', {}, { id: this.broker.position() }),
    )
  }

  /** How long a client should wait before it reconnects: spread, so that those who left together do not come back together. */
  retry(): number {
    return Math.round(this.options.retry * (0.75 + Math.random() / 2))
  }

  #deliver({ uid, rid, evt, except, position }: Delivery): void {
    const frame = encodeBlock({ id: position, data: evt })
    for (const session of this.#addressed(uid, rid)) {
      if (except !== undefined && isExcepted(session, except)) continue
      session.push(frame)
      this.counters.delivered += 1
    }
  }

  #addressed(uid: string | undefined, rid: string | undefined): Iterable<Session> {
    if (uid !== undefined) return this.registry.ofUser(uid)
    return rid === undefined ? this.registry.all() : this.registry.inRoom(rid)
  }
}

function isExcepted(session: Session, except: NonNullable<Delivery['except']>): boolean {
  return 'sid' in except ? session.sid === except.sid : session.uid === except.uid
}
