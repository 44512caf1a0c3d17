import type { CloseEvent, ReadyEvent } from '../lib/protocol/control-events.ts'
import type { ClientState, Connection, Core, Parameters } from './core.ts'
import { CometClientError, networkError } from './errors.ts'
import type { HeadersReason } from './options.ts'
import type { Block } from './parser.ts'
import { reactionToClose } from './reactions.ts'
import { byeOf } from './requests.ts'
import { type Ending, readStream } from './stream.ts'
import { createBackoff } from './timing.ts'
import { createWatchdog } from './watchdog.ts'

/** One request for a stream, and its stream. */
interface Attempt {
  readonly abort: AbortController
  /** The position that the request brought. */
  position?: string | undefined
  /** Whether it brought a stay-away token instead, to see whether the other connection is still there. */
  readonly isQuestion: boolean
  /** Gives it up when it takes too long. */
  readonly timer: ReturnType<typeof setTimeout>
  /** When `comet.ready` came, on the clock of `performance.now()`. */
  begun?: number
  hasEvent?: boolean
}

/** The reconnect delay before a stream has named its own (`retry:`), in milliseconds: the server's default. */
const FIRST_BASE = 2_000

/** How long a failure of the network is kept quiet, in milliseconds: browsers fail the streams of a page that is left. */
const QUIET = 100

/** A stream that stayed open for so many milliseconds has succeeded. */
const STABLE = 10_000

/** The longest delay of an attempt that follows within a second, in milliseconds. */
const SOON = 1_000

/** The version of the control events that this client knows. */
const VERSION = 1

/**
 * Makes a connection. At most one request for a stream is on its way at a time.
 *
 *     idle ──▶ connecting ──comet.ready──▶ open         any state ──close, a refusal for good──▶ closed
 *                 ▲   │                      │
 *                 │   └──── it fails ────▶ waiting ◀── it ends, or is silent
 *                 └──── its time, or the page is back ──┘
 */
export function createConnection(core: Core): Connection {
  const { debug, own, position, requests } = core
  const { minDelay, maxDelay, openTimeout } = core.options
  let state: ClientState = 'idle'
  let session: ReadyEvent | undefined
  /** The attempt that counts. What belongs to another one is dropped. */
  let current: Attempt | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  /** When the next attempt is due, and before which time the server wants none, in milliseconds since 1970. */
  let retryAt = 0
  let notBefore = 0
  let nextReason: HeadersReason = 'STREAM'
  /** Tells that the client is `waiting`. */
  let telling: ReturnType<typeof setTimeout> | undefined
  /** The stay-away token of a stream that was taken over, and what the server said then. */
  let takenOver: { readonly token: string; readonly error: CometClientError } | undefined
  let isSuspended = false
  let wasOpen = false
  let hadNoData = false
  let knownVersion = VERSION
  const backoff = createBackoff(minDelay, maxDelay, FIRST_BASE)

  const setState = (next: ClientState, error?: CometClientError) => {
    const previous = state
    if (next === previous && next !== 'waiting') return
    state = next
    debug(next)
    core.onState({ state, previous, error, retryAt: retry && retryAt })
  }

  const tellWaiting = (delay: number, error?: CometClientError) => {
    telling = setTimeout(() => setState('waiting', error), delay)
  }

  /** Gives up the attempt or stream at hand, and what waits. */
  const leave = () => {
    clearTimeout(retry)
    clearTimeout(telling)
    retry = undefined
    isSuspended = false
    watchdog.stop()
    clearTimeout(current?.timer)
    current?.abort.abort()
    current = undefined
    if (!session) return
    session = undefined
    core.uplink.onLost()
  }

  const open = async (reason: HeadersReason = 'STREAM') => {
    leave()
    connection.count += 1
    const abort = new AbortController()
    const tooLate = new Error(`It took more than ${openTimeout} ms.`)
    const attempt: Attempt = {
      abort,
      isQuestion: takenOver !== undefined,
      timer: setTimeout(() => abort.abort(tooLate), openTimeout),
    }
    current = attempt
    // Rooms that the app enters in the turn of its call are among them.
    const parameters = (): Parameters => {
      const from = position.current()
      attempt.position = from
      const lastEventId = takenOver?.token ?? from
      return [
        ['clientId', core.clientId],
        ...core.rooms.parameters(from),
        ['hb', '1'],
        ['n', `${connection.count}`],
        ...(lastEventId ? [['lastEventId', lastEventId] as const] : []),
      ]
    }
    setState('connecting')
    const ending = await readStream(
      requests.stream(parameters, reason, abort.signal),
      requests,
      abort.signal,
      watchdog.markAlive,
      (block) => {
        if (current === attempt) take(block, attempt)
      },
      (milliseconds) => {
        if (current === attempt) backoff.base = milliseconds
      },
    )
    if (current === attempt) end(ending)
  }

  const openAt = (at: number) => {
    clearTimeout(retry)
    retryAt = at
    retry = setTimeout(() => open(nextReason), at - Date.now())
  }

  const take = (block: Block, attempt: Attempt) => {
    const { event, id, data, at = id } = block
    const isEvent = !event.startsWith('comet.')
    if (!isEvent) debug(event)
    if (event === 'comet.close') return closedByServer(JSON.parse(data), id)
    if (event === 'comet.ready') {
      begin(JSON.parse(data), attempt)
      // A handler may have ended it.
      if (current !== attempt) return
    }
    if (id !== undefined) {
      position.moveTo(id)
      core.rooms.onProgress()
    }
    if (event === 'comet.gap') own.emit('gap', JSON.parse(data).targets)
    if (event === 'comet.heartbeat') beat()
    if (!isEvent) return
    attempt.hasEvent = true
    if (at === undefined || position.isNew(at)) core.rooms.deliver(block)
  }

  const begin = (ready: ReadyEvent, attempt: Attempt) => {
    const { position: from, isQuestion } = attempt
    const { version, uid, heartbeat } = ready
    clearTimeout(attempt.timer)
    attempt.begun = performance.now()
    wasOpen = true
    hadNoData = false
    if (version > knownVersion) {
      knownVersion = version
      console.warn(`comet: The server speaks version ${version}, this client ${VERSION}. Update comet-sse.`)
    }
    if (isQuestion) {
      // The other connection is gone. A token is no position: what was missed is asked for by another request.
      takenOver = undefined
      return void open()
    }
    if (!core.accept(uid, from)) {
      // It has entered the rooms of the former user.
      requests.tell(ready.sid, byeOf(ready))
      return void open()
    }
    // Until a block names another one.
    if (from !== undefined) position.moveTo(from)
    session = ready
    watchdog.start(heartbeat)
    core.rooms.onSession(ready, from)
    if (current === attempt) setState('open')
  }

  const closedByServer = ({ code, reason, reconnect }: CloseEvent, token: string | undefined) => {
    const error = new CometClientError(code, reason)
    const reaction = reactionToClose(code, reconnect)
    if (reaction === 'ask' && token) takenOver = { token, error }
    end({ reaction, error })
  }

  /** Does what the table of reactions says. */
  const end = ({ reaction, error, after = 0, hasNoData = false }: Ending) => {
    const { code, message, status } = error
    debug(`${reaction}: ${code} ${message}`)
    if (reaction === 'at-once' && core.rooms.onRefused(error)) return void open()
    // Where the URL was right before, this may be the page of a network that wants a login.
    const isPassing = wasOpen && status === 200
    // Without rooms, and without a token, the same would come again.
    const isForGood = reaction === 'close' || reaction === 'at-once' || (reaction === 'ask' && !takenOver)
    if (isForGood && !isPassing) {
      const reason = status === 204 ? (takenOver?.error ?? error) : error
      own.emit('error', reason)
      return close(reason)
    }
    const { begun = Number.POSITIVE_INFINITY, hasEvent } = current ?? {}
    const hasSucceeded = hasEvent || performance.now() - begun >= STABLE
    leave()
    if (hasSucceeded) backoff.reset()
    nextReason = code === 'EXPIRED' ? code : 'STREAM'
    notBefore = Date.now() + after
    // A server that ends each stream at once must not be asked at once each time.
    const isSoon = reaction === 'now' && hasSucceeded
    openAt(Date.now() + (isSoon ? Math.random() * SOON : backoff.next(after)))
    const isHeldBack = hasNoData && hadNoData
    hadNoData = hasNoData
    const told = isHeldBack
      ? new CometClientError(
          'NO_DATA',
          `${requests.name} answers without data. A proxy seems to hold it back.`,
        )
      : error
    if (isHeldBack) own.emit('error', told)
    if (isSoon) setState('connecting')
    else tellWaiting(code === 'NETWORK_ERROR' ? QUIET : 0, told)
  }

  const close = (error?: CometClientError) => {
    leave()
    takenOver = undefined
    setState('closed', error)
  }

  const fail = (message: string) => end({ reaction: 'retry', error: networkError(message) })

  const onSessionGone = (sid: string) => {
    if (session?.sid === sid) fail('The server does not know the session any more.')
  }

  /** Sends HB. @returns whether it was answered */
  const beat = async (): Promise<boolean> => {
    const sid = session?.sid ?? ''
    const status = await requests.tell(sid, { type: 'HB' })
    if (status === 404) onSessionGone(sid)
    return status !== undefined
  }

  const probe = async () => {
    const asked = session
    const silence = watchdog.silence()
    if (!asked || (await beat())) return
    // The stream itself is the best proof.
    if (session === asked && watchdog.silence() >= silence) fail('A probe had no answer.')
  }

  const watchdog = createWatchdog(() => fail('The stream was silent for too long.'), probe)

  const connection: Connection = {
    count: 0,
    get state() {
      return state
    },
    get session() {
      return session
    },
    open,
    close,
    suspend() {
      if (isSuspended || state === 'idle' || state === 'closed') return
      leave()
      isSuspended = true
      tellWaiting(QUIET)
    },
    wake(delay = 0) {
      if (isSuspended) open()
      else if (session) {
        if (watchdog.isSilent()) probe()
      } else if (retry && state !== 'connecting') {
        openAt(Math.min(retryAt, Math.max(Date.now() + delay, notBefore)))
      }
    },
    probe,
    onSessionGone,
  }
  return connection
}
