import { CometError, callOfApp } from './errors.ts'
import type { StoredEvent } from './history/history-entry.ts'
import type { HookListener, HookMap } from './hooks/hooks.ts'
import type { SessionInfo } from './hooks/session-info.ts'
import { Node, type NodeCallbacks } from './node/node.ts'
import { type CometDump, type CometStats, dump, stats } from './node/stats.ts'
import { turnAway } from './operations/admission.ts'
import { checkSender } from './operations/check-sender.ts'
import { closeAllSessions, closeSession, closeTakenOver } from './operations/close.ts'
import { orIfGone, requestOwner } from './operations/cluster-calls.ts'
import type { DisconnectOptions } from './operations/cluster-commands.ts'
import { handleCommand } from './operations/cluster-handlers.ts'
import { type ConnectRequest, connect } from './operations/connect.ts'
import { checkDisconnectOptions, disconnect } from './operations/disconnect.ts'
import { toEnvelope } from './operations/envelope.ts'
import type {
  EventMap,
  EventName,
  Publication,
  PublishOptions,
  PublishTarget,
  SingleTarget,
} from './operations/publication.ts'
import { publish } from './operations/publish.ts'
import { isEndedByApp, type PublishAllOptions, publishAll } from './operations/publish-all.ts'
import { checkSingleTarget } from './operations/receivers.ts'
import { announceMembership, enterUser, leaveUser } from './operations/rooms.ts'
import { forward, sayHeard } from './operations/uplink.ts'
import { type CometOptions, checkLimit, checkMilliseconds, resolveOptions } from './options.ts'
import type { Member, MemberPage } from './ports/presence.ts'
import { parsePacket } from './protocol/packet.ts'
import type { DisconnectWatch } from './session/disconnect-log.ts'
import { checkIdentity, type Identified } from './session/identity.ts'
import { checkInfo } from './session/info.ts'
import { flat } from './util/flat.ts'
import { checkOptions } from './util/known-keys.ts'
import { checkRid, checkSid, checkTarget, checkUid, type Rid, type Uid } from './util/validate.ts'

/** The subject of `enter` and `leave`: a user (all its sessions, later ones too), or one session. */
export type Occupant = { readonly uid: Uid } | { readonly sid: string }

/** A packet that an adapter received. */
export interface PacketRequest {
  readonly sid: string
  /** The sender: the answer of `identify`. */
  readonly identity: Identified
  /** The packet, parsed from JSON. Comet checks it. */
  readonly packet: unknown
}

const callbacks: NodeCallbacks = {
  onCommand: handleCommand,
  onSessionEnd: (node, session, code) => void closeSession(node, session, { code }),
  onSuperseded: closeTakenOver,
  onMembershipRestored: announceMembership,
}

/**
 * One node of real-time push: mount it with an adapter, publish to it, listen to it.
 *
 * @example
 * const comet = new Comet({ canEnter: ({ uid, rid }) => isMember(uid, rid) })
 * app.use('/comet', cometExpress(comet, { identify: (req) => req.user?.id }))
 * await comet.publish({ rid: 'lobby', event: 'chat', data: { text: 'hello' } })
 *
 * @typeParam Events the app's events by name, each with the type of its data
 * @typeParam Info the type of the `info` that `identify` answers
 */
// biome-ignore lint/suspicious/noExplicitAny: a Comet with types of its own is assignable to one without.
export class Comet<Events = EventMap, Info = any> {
  /**
   * Settles when the broker is subscribed: events published from then on reach this node. It waits for as long as the
   * broker is away. It may be ignored: a rejection is never unhandled, and goes to `'error'` too, but for SHUTTING_DOWN,
   * with which it rejects when the Comet is closed before.
   */
  readonly ready: Promise<void>
  readonly #node: Node
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  /** @throws CometError INVALID_OPTION, which names the option and what it may be */
  constructor(options?: CometOptions<Info>) {
    this.#node = new Node(resolveOptions(options as CometOptions | undefined), callbacks)
    this.ready = this.#node.ready
    this.ready.catch((error) => {
      if (!isEndedByApp(error)) this.#node.hooks.report(error)
    })
  }

  /**
   * Publishes an event to users (`uid`), else to rooms (`rid`), else to sessions (`sid`), else to the world.
   *
   * The promise may be ignored: a failure goes to `'error'` too, and never crashes the app.
   *
   * @example
   * await comet.publish({ rid: 'lobby', event: 'chat', data: { text: 'hello' } })
   *
   * @returns settles when the broker took the event; at once when a list of receivers is empty
   * @throws CometError INVALID_TARGET, INVALID_EVENT, INVALID_FIELD, INVALID_ID (of `except`), EVENT_TOO_LARGE,
   *   SHUTTING_DOWN (by rejecting)
   */
  publish<Name extends EventName<Events>>(
    event: Publication<Events, Name>,
    options: PublishOptions = {},
  ): Promise<void> {
    const node = this.#node
    const published = publish(node, () => toEnvelope(event, options, node.options))
    published.catch(node.ports.reportRejectedPublish)
    return published
  }

  /**
   * Publishes each item of an async iterable as an event of its own, in order, as it comes: the tokens of a language
   * model, or the chunks of a ReadableStream. At the end comes an event `<event>.end`: `{ ok: true, count }`, or
   * `{ ok: false, code, count }` when it failed, with the code of a CometError, or `INTERNAL`.
   *
   * The promise may be ignored: a failure goes to `'error'` too, unless the app has ended it (ABORTED, SHUTTING_DOWN), and
   * never crashes the app.
   *
   * @example
   * await comet.publishAll({ rid: run }, tokens, { event: 'token', signal })
   *
   * @returns the number of items, once all are published
   * @throws CometError as {@link publish}, ABORTED when `signal` is aborted, SHUTTING_DOWN when the Comet is closed; or what
   *   the iterable throws (by rejecting)
   */
  publishAll<Name extends EventName<Events>>(
    target: PublishTarget,
    items: AsyncIterable<Events[Name]> | Iterable<Events[Name]>,
    options: PublishAllOptions<Name>,
  ): Promise<number> {
    const published = publishAll(this.#node, target, items, options)
    published.catch((error) => {
      if (!isEndedByApp(error)) this.#node.ports.reportRejectedPublish(error)
    })
    return published
  }

  /**
   * The current position, for a page that is rendered now: take it before you read the page's data, and give it to the
   * page, which connects with `?lastEventId=<position>`. So it gets what is published from then on.
   *
   * @throws what the broker's subscription fails with (by rejecting)
   */
  async position(): Promise<string> {
    await this.ready
    return this.#node.position
  }

  /**
   * Adds a hook. An error that it throws, or rejects with, goes to `'error'` and affects nothing else.
   *
   * @throws CometError INVALID_OPTION when there is no such hook, or the listener is no function
   */
  on<Name extends keyof HookMap>(name: Name, listener: HookListener<Name, Info>): this {
    callOfApp(() => this.#node.hooks.on(name, listener as HookListener<Name>))
    return this
  }

  /** Adds a hook that is called once. See {@link on}. */
  once<Name extends keyof HookMap>(name: Name, listener: HookListener<Name, Info>): this {
    callOfApp(() => this.#node.hooks.once(name, listener as HookListener<Name>))
    return this
  }

  /** Removes a hook. @throws CometError INVALID_OPTION as {@link on} */
  off<Name extends keyof HookMap>(name: Name, listener: HookListener<Name, Info>): this {
    callOfApp(() => this.#node.hooks.off(name, listener as HookListener<Name>))
    return this
  }

  /**
   * Puts a user (all its sessions, later ones too) into a room until it leaves or goes offline; or one session.
   * `canEnter` is not asked.
   *
   * @returns false when the user or session is not online
   * @throws CometError INVALID_ID, UNAVAILABLE, OWNER_UNREACHABLE
   */
  async enter(occupant: Occupant, rid: Rid): Promise<boolean> {
    const node = this.#node
    const room = this.#checkRid(rid)
    const target = this.#checkTarget('The occupant', occupant, ['uid', 'sid'])
    if ('uid' in target) return await enterUser(node, target.uid, room)
    return await orIfGone(requestOwner(node, target.sid, 'enter', { ...target, rid: room }), false)
  }

  /**
   * Takes a user and all its sessions out of a room, whoever put them there; or one session, which stays in the room
   * if its user is a member.
   *
   * @returns false when the user or session was not in the room
   * @throws CometError INVALID_ID, OWNER_UNREACHABLE
   */
  async leave(occupant: Occupant, rid: Rid): Promise<boolean> {
    const node = this.#node
    const room = this.#checkRid(rid)
    const target = this.#checkTarget('The occupant', occupant, ['uid', 'sid'])
    if ('uid' in target) return await leaveUser(node, target.uid, room)
    return await orIfGone(requestOwner(node, target.sid, 'leave', { ...target, rid: room }), false)
  }

  /**
   * Disconnects a user, a session, or everybody in a room: at once, without grace. The clients stay away unless
   * `reconnect: true` is given.
   *
   * @returns how many streams were ended
   * @throws CometError INVALID_ID, INVALID_OPTION, OWNER_UNREACHABLE
   */
  async disconnect(
    target: { readonly uid: Uid } | { readonly sid: string } | { readonly rid: Rid },
    options: DisconnectOptions = {},
  ): Promise<number> {
    const checked = this.#checkTarget('The target', target, ['uid', 'sid', 'rid'])
    return await disconnect(
      this.#node,
      checked,
      callOfApp(() => checkDisconnectOptions(options)),
    )
  }

  /**
   * Changes the `info` of a user that `members` shows, until the user goes OFFLINE. What `identify` answers meanwhile does
   * not count.
   *
   * @param info JSON; undefined for none. It is copied
   * @returns false when the user is not online
   * @throws CometError INVALID_ID, INVALID_FIELD, UNAVAILABLE
   */
  async setInfo(uid: Uid, info: Info | undefined): Promise<boolean> {
    const checked = this.#checkUid(uid)
    const copy = callOfApp(() => checkInfo(info))
    return await this.#node.presence.setInfo(checked, copy)
  }

  /**
   * Emits HEARD for a user that another route of the app heard. The hooks are called before it returns.
   * But if a hook calls it, they are called after the event that is being emitted.
   *
   * @throws CometError INVALID_ID
   */
  heard(uid: Uid): void {
    sayHeard(this.#node, this.#checkUid(uid))
  }

  /** Tells whether a user is online on any node, grace included. @throws CometError INVALID_ID */
  async isOnline(uid: Uid): Promise<boolean> {
    return await this.#node.presence.isOnline(this.#checkUid(uid))
  }

  /** Lists the rooms that a user is in, over all nodes, grace included. @throws CometError INVALID_ID */
  async roomsOf(uid: Uid): Promise<string[]> {
    return await this.#node.presence.roomsOf(this.#checkUid(uid))
  }

  /**
   * Lists the users in a room over all nodes, grace included, in the order they entered.
   *
   * With `limit`, it lists them in pages, which are in the order of their uids: each user who stays is on one page,
   * whoever enters or leaves meanwhile.
   *
   * @param page.limit the most users of a page, at least 1. Default: all
   * @param page.after the last uid of the page before. Default: the first page
   * @throws CometError INVALID_ID, INVALID_OPTION
   */
  async members(
    rid: Rid,
    page: { readonly after?: Uid | undefined; readonly limit?: number } = {},
  ): Promise<Member<Info>[]> {
    const room = this.#checkRid(rid)
    const checked = callOfApp(() => this.#checkPage(page))
    const { members } = await this.#node.presence.members(room, checked)
    return members as Member<Info>[]
  }

  /** Counts the users in a room over all nodes, grace included. @throws CometError INVALID_ID */
  async count(rid: Rid): Promise<number> {
    return await this.#node.presence.count(this.#checkRid(rid))
  }

  /** Finds a session of this node, from its `'connect'` on. @throws CometError INVALID_ID */
  session(sid: string): SessionInfo | undefined {
    const { registry } = this.#node
    const session = registry.get(callOfApp(() => checkSid(sid)))
    return session === undefined || session.opening ? undefined : registry.infoOf(session)
  }

  /** Lists the sessions of a user on this node, oldest first. @throws CometError INVALID_ID */
  sessionsOf(uid: Uid): SessionInfo[] {
    const { registry } = this.#node
    const sessions = Array.from(registry.ofUser(this.#checkUid(uid)))
    return sessions.filter(({ opening }) => !opening).map((session) => registry.infoOf(session))
  }

  /**
   * Lists the events that the history stores for a user (`uid`), else a room (`rid`), else a session (`sid`), else the
   * world, oldest first. The line ends of texts are LF, as clients get them.
   *
   * @param options.limit the number of latest events. Default: all
   * @throws CometError INVALID_TARGET, INVALID_OPTION
   */
  history(target: SingleTarget, options: { readonly limit?: number } = {}): StoredEvent[] {
    const { history, options: resolved } = this.#node
    const entries = callOfApp(() => {
      const { limit = Number.POSITIVE_INFINITY } = checkOptions('The options of history', options, ['limit'])
      checkLimit('limit', limit)
      return history.recent(checkSingleTarget(target, resolved), limit)
    })
    return entries.map((entry) => entry.toEvent())
  }

  /** Lists the sessions and rooms of this node, for debugging. */
  dump(): CometDump {
    return dump(this.#node)
  }

  /** Counts what is on this node and what happened since its start, for monitoring. */
  stats(): CometStats {
    return stats(this.#node)
  }

  /**
   * Ends all streams, emits the OFFLINE of their users (with other nodes on the broker they stay in grace instead), and
   * leaves the broker. From the call on newcomers get the temporary answer. The streams end in waves over the drain
   * time, so that the clients do not all reconnect at once.
   *
   * @param options.drain the time that it may take, in milliseconds; clients that read nothing are cut then.
   *   Default: 5,000
   * @returns settles when nothing of this Comet is left. Idempotent.
   * @throws CometError INVALID_OPTION (by rejecting); nothing is closed then
   */
  close(options: { readonly drain?: number } = {}): Promise<void> {
    let drain: number
    try {
      drain = callOfApp(() => checkDrain(options))
    } catch (error) {
      return Promise.reject(error)
    }
    this.#closed ??= this.#close(drain)
    return this.#closed
  }

  /**
   * For adapters: called when a request for a stream comes, before `identify`. Give the watch to {@link connect}, and
   * call its `end` after that, or when there is nobody to connect.
   */
  watchDisconnects(): DisconnectWatch {
    return this.#node.disconnects.watch()
  }

  /**
   * For adapters: admits a client. See {@link ConnectRequest}.
   *
   * @throws CometError when the client is not admitted
   */
  connect(request: ConnectRequest): Promise<void> {
    return connect(this.#node, request)
  }

  /**
   * For adapters: checks the sender of a packet before its body is read, as far as this node can tell.
   *
   * @throws CometError NO_SUCH_SESSION, NOT_YOUR_SESSION, INVALID_IDENTITY
   */
  async checkSender({ sid, identity }: Omit<PacketRequest, 'packet'>): Promise<void> {
    const { uid, anonymous } = checkIdentity(identity, this.#node.options.maxIdBytes)
    await checkSender(this.#node, { sid, uid, anonymous })
  }

  /**
   * For adapters: handles a packet, on whichever node owns the session.
   *
   * @returns the answer as JSON text, or undefined when there is none
   * @throws CometError when the packet is refused
   */
  async receive({ sid, identity, packet }: PacketRequest): Promise<string | undefined> {
    const { uid, anonymous, info } = checkIdentity(identity, this.#node.options.maxIdBytes)
    const incoming = { sid, uid, anonymous, info, packet: parsePacket(packet) }
    return await forward(this.#node, incoming)
  }

  /** For adapters: aborted when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** For adapters: the limits of their answers. `retry` is a reconnect delay in milliseconds, another one each time. */
  get limits(): { readonly maxPacketBytes: number; readonly retry: number } {
    return { maxPacketBytes: this.#node.options.maxPacketBytes, retry: this.#node.reconnectDelay() }
  }

  /** For adapters: emits an error to `'error'` that no caller can be told. */
  report(error: unknown): void {
    this.#node.hooks.report(error)
  }

  async #close(drain: number): Promise<void> {
    const node = this.#node
    node.closing = true
    this.#closing.abort()
    await closeAllSessions(node, drain)
    await node.presence.close()
    // A hook that hears who left may publish it a few promises later.
    await new Promise(setImmediate)
    node.closed = true
    await node.controller.close()
    await node.broker.close()
    node.history.close()
    node.uplinkStates.close()
    // Those about whom the app is still asked. Without an answer `server.close()` would wait for them.
    for (const newcomer of node.newcomers.all()) turnAway(node, newcomer, new CometError('SHUTTING_DOWN'))
  }

  #checkUid(uid: unknown, name = 'uid'): string {
    return callOfApp(() => checkUid(name, uid, this.#node.options.maxIdBytes))
  }

  #checkRid(rid: unknown): string {
    return callOfApp(() => flat(checkRid('rid', rid, this.#node.options.maxIdBytes)))
  }

  #checkPage(page: unknown): MemberPage | undefined {
    const { limit = Number.POSITIVE_INFINITY, after } = checkOptions('The options of members', page, [
      'limit',
      'after',
    ])
    if (limit === Number.POSITIVE_INFINITY && after === undefined) return undefined
    checkLimit('limit', limit, 1)
    return { limit, after: after === undefined ? undefined : this.#checkUid(after, 'after') }
  }

  #checkTarget<K extends 'uid' | 'sid' | 'rid'>(name: string, target: unknown, keys: readonly K[]) {
    return callOfApp(() => checkTarget(name, target, keys, this.#node.options.maxIdBytes))
  }
}

function checkDrain(options: unknown): number {
  const { drain = 5_000 } = checkOptions('The options of close', options, ['drain'])
  checkMilliseconds('drain', drain)
  return drain
}
