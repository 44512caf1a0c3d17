import { CometError } from './errors.ts'
import type { HookListener, HookMap } from './hooks/hooks.ts'
import { checkId, checkUid, type Uid } from './ids.ts'
import { Hub, type HubWork } from './node/node.ts'
import { type CometDump, type CometStats, dump, stats } from './node/stats.ts'
import { closeSession } from './operations/close.ts'
import {
  askAll,
  askHome,
  askSession,
  type DisconnectOptions,
  disconnectAll,
  handleCommand,
} from './operations/cluster-commands.ts'
import { type ConnectRequest, connect } from './operations/connect.ts'
import { endSessions } from './operations/drain.ts'
import {
  type EventMap,
  type Publication,
  type PublishOptions,
  type PublishTarget,
  targetOf,
  toEnvelope,
} from './operations/publish.ts'
import { heard } from './operations/uplink.ts'
import { type CometOptions, checkMilliseconds, resolveOptions } from './options.ts'
import type { Member } from './ports/presence.ts'
import type { Target } from './protocol/event.ts'
import { parsePacket } from './protocol/packet.ts'
import { checkTarget } from './protocol/target.ts'
import { checkIdentity, type Identified } from './session/identity.ts'

/** Whom `enter` and `leave` are about: a user, all its sessions and later ones, or one session. */
export type Occupant = { readonly uid: Uid } | { readonly sid: string }

/** A packet that came in. */
export interface UplinkRequest {
  readonly sid: string
  /** Who sent it, as `identify` answered. */
  readonly identity: Identified
  /** The packet, parsed from JSON but not checked. */
  readonly packet: unknown
}

const work: HubWork = {
  handle: handleCommand,
  end: (hub, session, code) => void closeSession(hub, session, { code }),
}

/** One node of real-time push: give it to an adapter, publish to it, listen to it. */
export class Comet<Events = EventMap> {
  /**
   * Settles when the broker is subscribed: events published from then on reach this node. Never an unhandled
   * rejection.
   */
  readonly ready: Promise<void>
  readonly #hub: Hub
  #closed: Promise<void> | undefined

  /** @throws CometError INVALID_OPTION */
  constructor(options?: CometOptions) {
    this.#hub = new Hub(resolveOptions(options), work)
    this.ready = this.#hub.broker.ready
    this.ready.catch((error) => this.#hub.hooks.report(error))
  }

  /**
   * Publishes an event to a user (`uid`), else to a room (`rid`), else to the world.
   *
   * A caller need not await it: a failure goes to `'error'` too, and never crashes the host.
   *
   * @returns resolves when the broker took the event
   * @throws CometError INVALID_TARGET, INVALID_EVENT, INVALID_FIELD, EVENT_TOO_LARGE, SHUTTING_DOWN (by rejecting)
   */
  publish(event: Publication<Events>, options: PublishOptions = {}): Promise<void> {
    const published = this.#publish(event, options)
    published.catch((error) => this.#hub.hooks.reportRejection(error))
    return published
  }

  /** Adds a hook. What it throws goes to `'error'` and reaches nobody else. */
  on<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): this {
    this.#hub.hooks.on(name, listener)
    return this
  }

  /** Adds a hook for the next time only. */
  once<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): this {
    this.#hub.hooks.once(name, listener)
    return this
  }

  /** Removes a hook. */
  off<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): this {
    this.#hub.hooks.off(name, listener)
    return this
  }

  /**
   * Puts a user, all its sessions and later ones, into a room until it leaves or goes offline; or one session.
   *
   * @returns false when the user or session is not online
   */
  async enter(occupant: Occupant, rid: string): Promise<boolean> {
    const hub = this.#hub
    const room = this.#checkRid(rid)
    const whom = checkTarget('The occupant', occupant, ['uid', 'sid'], hub.options.maxIdBytes)
    if ('sid' in whom) return await askSession(hub, { type: 'enter', ...whom, rid: room })
    const { uid } = whom
    if (!(await hub.presence.enter({ uid }, room))) return false
    await askAll(hub, { type: 'enterUser', uid, rid: room })
    return true
  }

  /**
   * Takes a user out of a room, whatever held it there; or lets go of one session's hold.
   *
   * @returns false when it was not in the room
   */
  async leave(occupant: Occupant, rid: string): Promise<boolean> {
    const hub = this.#hub
    const room = this.#checkRid(rid)
    const whom = checkTarget('The occupant', occupant, ['uid', 'sid'], hub.options.maxIdBytes)
    if ('sid' in whom) return await askSession(hub, { type: 'leave', ...whom, rid: room })
    const { uid } = whom
    // Here at once: what is published right after must not reach the user. Elsewhere after presence, which may have
    // told a session that is just being admitted of the room until then.
    hub.registry.leaveUser(uid, room)
    const left = await hub.presence.leave({ uid }, room)
    await askAll(hub, { type: 'leaveUser', uid, rid: room })
    return left
  }

  /**
   * Disconnects a user, a session, or everybody in a room, at once and without grace.
   *
   * @returns how many streams were ended
   */
  async disconnect(
    target: { readonly uid: Uid } | { readonly sid: string } | { readonly rid: string },
    options: DisconnectOptions = {},
  ): Promise<number> {
    return await disconnectAll(
      this.#hub,
      checkTarget('The target', target, ['uid', 'sid', 'rid'], this.#hub.options.maxIdBytes),
      options,
    )
  }

  /** Another route of the host heard this user: HEARD is out when this returns. */
  heard(uid: Uid): void {
    heard(this.#hub, this.#checkUid(uid))
  }

  /** Whether a user is online on any node, grace included. */
  async isOnline(uid: Uid): Promise<boolean> {
    return await this.#hub.presence.isOnline(this.#checkUid(uid))
  }

  /** The users in a room over all nodes, grace included, in the order they entered it. */
  async members(rid: string): Promise<Member[]> {
    return await this.#hub.presence.members(this.#checkRid(rid))
  }

  /** The number of users in a room over all nodes, grace included. */
  async count(rid: string): Promise<number> {
    return await this.#hub.presence.count(this.#checkRid(rid))
  }

  /**
   * What is still kept of what a target was sent, oldest first: of a user, a room, or without either the world.
   *
   * @param options.limit how many of the latest at most. Default: all
   * @throws CometError INVALID_TARGET
   */
  history(
    target: PublishTarget,
    { limit = Number.POSITIVE_INFINITY }: { readonly limit?: number } = {},
  ): { readonly position: string; readonly evt: string }[] {
    const { backlog, options } = this.#hub
    const kept = backlog.recent(targetOf(target, options.maxIdBytes) as Target, limit)
    return kept.map(({ position, evt }) => ({ position, evt }))
  }

  /** The sessions and rooms of this node, for debugging. */
  dump(): CometDump {
    return dump(this.#hub)
  }

  /** This node in numbers, for monitoring. */
  stats(): CometStats {
    return stats(this.#hub)
  }

  /**
   * Ends all streams, says who went offline (with other nodes on the broker: leaves that to the grace), and leaves
   * the broker. Newcomers are sent away for now. Many clients are not ended at once but spread over the drain time,
   * so that they do not all come back at once.
   *
   * @param options.drain milliseconds it may take, stalled clients included. Default: 5,000
   * @returns settles when nothing of this Comet is left. Idempotent.
   * @throws CometError INVALID_OPTION (by rejecting); nothing is closed then
   */
  close({ drain = 5_000 }: { readonly drain?: number } = {}): Promise<void> {
    try {
      checkMilliseconds('drain', drain)
    } catch (error) {
      return Promise.reject(error)
    }
    this.#closed ??= this.#close(drain)
    return this.#closed
  }

  /**
   * For adapters: admits a client. See {@link ConnectRequest}.
   *
   * @throws CometError when the client is not admitted
   */
  connect(request: ConnectRequest): Promise<void> {
    return connect(this.#hub, request)
  }

  /**
   * For adapters: handles a packet, on whichever node owns the session.
   *
   * @returns the answer as JSON, or undefined when there is none
   * @throws CometError
   */
  async uplink({ sid, identity, packet }: UplinkRequest): Promise<string | undefined> {
    const { uid, anonymous, info } = checkIdentity(identity, this.#hub.options.maxIdBytes)
    const uplink = { sid, uid, anonymous, info, packet: parsePacket(packet) }
    const answer = await askHome(this.#hub, sid, { type: 'uplink', uplink })
    return (answer as string | null) ?? undefined
  }

  /** For adapters: the limits and the pause that their answers go by. */
  get limits(): { readonly maxUplinkBytes: number; readonly retry: number } {
    return { maxUplinkBytes: this.#hub.options.maxUplinkBytes, retry: this.#hub.retry() }
  }

  /** For adapters: says an error to `'error'` that has no caller to be told. */
  report(error: unknown): void {
    this.#hub.hooks.report(error)
  }

  async #publish(event: Publication<Events>, options: PublishOptions): Promise<void> {
    const hub = this.#hub
    const envelope = toEnvelope(event, options, hub.options)
    if (hub.closed) throw new CometError('SHUTTING_DOWN', 'This Comet was closed.')
    await hub.broker.publish(envelope)
    hub.counters.published += 1
  }

  async #close(drain: number): Promise<void> {
    const hub = this.#hub
    hub.closing = true
    await endSessions(hub, drain)
    await hub.presence.close()
    // Hooks that heard who left may still be at it, a few promises away from telling others.
    await new Promise(setImmediate)
    hub.closed = true
    await hub.controller.close()
    await hub.broker.close()
    hub.backlog.close()
  }

  #checkUid(uid: unknown): string {
    return checkUid('uid', uid, this.#hub.options.maxIdBytes)
  }

  #checkRid(rid: unknown): string {
    return checkId('rid', rid, this.#hub.options.maxIdBytes)
  }
}
