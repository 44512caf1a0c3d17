import { createConnection } from './connection.ts'
import type { ClientState, Core, GapTarget, ReadyInfo, StateChange } from './core.ts'
import { createEmitter, type ListenerOptions } from './emitter.ts'
import { CometClientError } from './errors.ts'
import type { CometMessage, Origin } from './message.ts'
import { type CometClientOptions, checkOptions, debugOf } from './options.ts'
import { leavePlace, takePlace, watchPage } from './page.ts'
import { createPosition } from './position.ts'
import { byeOf, createRequests } from './requests.ts'
import type { CometRoom, RoomOptions } from './room.ts'
import { createRooms } from './rooms.ts'
import { createSender, type SendOptions } from './sender.ts'
import { createDeferred, newId } from './timing.ts'
import type { AnyMessage, EventMap, EventName, MessageHandler, Source } from './types.ts'
import { createUplink } from './uplink.ts'

/** The start of the random uids of anonymous clients: another one on each connection, and no other user. */
const ANONYMOUS = 'anonymous.'

/**
 * A connection to a Comet: it stays open, and tells when something is missing.
 *
 * @typeParam Events the event map of the app, as of `Comet<Events>`
 * @typeParam Sent what `send` takes
 * @typeParam Answer what `onMessage` of the server answers
 *
 * @example
 * const client = new CometClient('/comet')
 * client.on('chat', (message) => show(message.json().text))
 * client.room('lobby')
 */
export class CometClient<Events = EventMap, Sent = unknown, Answer = unknown> implements Source<Events> {
  readonly #core: Core
  readonly #rooms: ReturnType<typeof createRooms>
  readonly #send: ReturnType<typeof createSender>
  readonly #start: () => void
  #opening = createDeferred()

  /**
   * @param url the URL of the stream: `/comet`. Outside of a page it must be absolute
   * @throws CometClientError INVALID_OPTION
   */
  constructor(url: string, given: CometClientOptions = {}) {
    const options = checkOptions(given)
    const { persist, byeOnHide } = options
    /** The user of the latest stream. */
    let user: string | undefined
    /** Whether `onReady` was not called yet for this user. */
    let isFirst = true
    let unwatch: (() => void) | undefined
    const core = {
      options,
      debug: debugOf(options),
      events: createEmitter(),
      all: createEmitter(),
      own: createEmitter(),
      position: createPosition(),
      clientId: newId(),
      accept(uid, from) {
        const former = user ?? uid
        user = uid
        if (former === uid || [former, uid].every((each) => each.startsWith(ANONYMOUS))) return true
        isFirst = true
        core.clientId = newId()
        core.position.reset()
        core.uplink.clear(new CometClientError('USER_CHANGED', 'Another user is signed in now.'))
        return !core.rooms.reset() && !from
      },
      onState: (change) => {
        const { state, previous, error } = change
        if (previous === 'open' || previous === 'closed') this.#opening = createDeferred()
        if (state === 'closed') {
          unwatch?.()
          unwatch = undefined
          const closed = new CometClientError('CLOSED', 'The client is closed.', undefined, error)
          this.#opening.reject(error ?? closed)
          core.uplink.clear(closed)
          core.rooms.close(closed)
        }
        if (state === 'open') this.#opening.resolve()
        core.own.emit('state', change)
        const { session } = core.connection
        // A handler may have closed it.
        if (state !== 'open' || !session) return
        const { uid, sid, recovered } = session
        const first = isFirst
        isFirst = false
        core.own.emit('ready', { uid, sid, recovered, first })
      },
    } as Core
    core.requests = createRequests(url, core)
    const connection = createConnection(core)
    core.connection = connection
    core.uplink = createUplink(core)
    core.rooms = this.#rooms = createRooms(core)
    this.#core = core
    this.#send = createSender(core)

    const key = `comet ${core.requests.name}`
    const place = persist ? takePlace(key) : undefined
    if (place) {
      user = place.uid
      core.clientId = place.clientId
      connection.count = place.count
      core.position.reset(place.position)
    }
    const onHide = () => {
      const { session, count } = connection
      const { clientId } = core
      const position = core.position.current()
      if (persist && user && position) leavePlace(key, { uid: user, clientId, position, count })
      if (byeOnHide && session) core.requests.lastPacket(session.sid, byeOf(session))
    }
    this.#start = () => {
      unwatch ??= watchPage(core, () => persist && takePlace(key), onHide)
      connection.open()
    }
    if (options.connect) this.#start()
  }

  get state(): ClientState {
    return this.#core.connection.state
  }

  /** Settles when a stream is open. @throws CometClientError the reason, when the client is closed before */
  get opened(): Promise<void> {
    return this.#opening.promise
  }

  /** Connects a client that is idle or closed. */
  connect(): void {
    if (this.state === 'idle' || this.state === 'closed') this.#start()
  }

  /** Opens a new stream now, such as after another user has signed in. */
  reconnect(): void {
    this.#start()
  }

  /** Says BYE, and ends all that waits. @returns settles when the server knows, or does not answer */
  async close(): Promise<void> {
    const { connection, requests } = this.#core
    const { session } = connection
    connection.close()
    if (session) await requests.tell(session.sid, byeOf(session))
  }

  /** Adds a handler for changes of the state. @returns the function that ends it */
  onState(handler: (change: StateChange) => void, options?: ListenerOptions): () => void {
    return this.#core.own.add('state', handler, options)
  }

  /** Adds a handler for streams that have begun. @returns the function that ends it */
  onReady(handler: (ready: ReadyInfo) => void, options?: ListenerOptions): () => void {
    return this.#core.own.add('ready', handler, options)
  }

  /** Adds a handler for missing events: reload what you show of these targets. @returns the function that ends it */
  onGap(handler: (targets: readonly GapTarget[]) => void, options?: ListenerOptions): () => void {
    return this.#core.own.add('gap', handler, options)
  }

  /** Adds a handler for errors that no promise tells. @returns the function that ends it */
  onError(handler: (error: CometClientError) => void, options?: ListenerOptions): () => void {
    return this.#core.own.add('error', handler, options)
  }

  on<Name extends EventName<Events>>(
    event: Name,
    handler: MessageHandler<Events, Name>,
    options?: ListenerOptions,
  ): () => void {
    return this.#core.events.add(event, handler as (message: CometMessage) => void, options)
  }

  /** Adds a handler for all events that have a name or are a Message. @returns the function that ends it */
  onMessage(handler: (message: AnyMessage<Events>) => void, options?: ListenerOptions): () => void {
    return this.#core.all.add('message', handler as (message: CometMessage) => void, options)
  }

  onText(handler: (text: string, origin: Origin) => void, options?: ListenerOptions): () => void {
    return this.#core.all.add('text', handler, options)
  }

  /**
   * Enters a room. Gives the same object for a room each time.
   *
   * @throws CometClientError INVALID_OPTION
   */
  room(rid: string, options: RoomOptions = {}): CometRoom<Events> {
    return this.#rooms.enter(rid, options).room as CometRoom<Events>
  }

  /**
   * Sends a message to the server's `onMessage`: a string as it is, anything else as JSON. Messages and changes of rooms
   * go out in the order of the calls. While there is no connection they wait.
   *
   * @returns the answer of `onMessage`, or undefined
   * @throws CometClientError what the server refused it with; TIMEOUT, QUEUE_FULL, NOT_CONNECTED (with `volatile`),
   *   ABORTED, CLOSED, USER_CHANGED
   */
  send(message: Sent, options?: SendOptions): Promise<Answer> {
    return this.#send(message, options) as Promise<Answer>
  }
}
