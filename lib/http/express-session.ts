import { CometError } from '../errors.ts'
import { isHttp2, type Request, type Response } from './messages.ts'

/** The time that a store has to save a session before its stream begins, in milliseconds. */
const SAVE_MS = 5_000

/** What express-session puts on a request, as do middlewares with its interface. */
interface SessionRequest {
  session?: StoredSession | null | undefined
  sessionID?: string | undefined
  readonly sessionStore?: SessionStore
}

/** A session of the app, not one of Comet. */
interface StoredSession {
  save(callback: (error?: unknown) => void): unknown
  touch?(): unknown
}

interface SessionStore {
  touch?(id: string, session: StoredSession, callback: (error?: unknown) => void): unknown
}

/**
 * Stores what the request of a stream changed in its session of express-session, before the stream begins.
 *
 * express-session does that when the response ends. At the end of a stream that is minutes too late: it would undo
 * what other requests have changed meanwhile, or sign in again a session that was signed out.
 */
export class ExpressSession {
  readonly #req: SessionRequest & Request
  readonly #res: Response
  readonly #id: string | undefined
  readonly #content: string | undefined

  private constructor(req: SessionRequest & Request, res: Response) {
    this.#req = req
    this.#res = res
    this.#id = req.sessionID
    this.#content = contentOf(req.session)
  }

  /**
   * Remembers the session as it is now. Called before `identify`, which may change it.
   *
   * @returns undefined for a request without express-session
   */
  static of(req: Request, res: Response): ExpressSession | undefined {
    // `sessionStore` first: `session` may be an accessor of another middleware, which reading would trigger.
    return (req as SessionRequest).sessionStore === undefined ? undefined : new ExpressSession(req, res)
  }

  /**
   * Saves the session if it is new or has changed. Otherwise tells the store that it is in use, as express-session
   * would.
   *
   * @param report is given what the app should know, but no caller needs
   * @throws CometError UNAVAILABLE when the session could not be saved
   */
  async store(report: (error: unknown) => void): Promise<void> {
    const { session, sessionID = '' } = this.#req
    stored.add(this.#req)
    if (typeof session?.save !== 'function') return
    const content = contentOf(session)
    const isNew = !hasCookie(this.#req, sessionID)
    if (sessionID !== this.#id || content !== this.#content || (isNew && content !== EMPTY)) {
      await save(session).catch((cause) => {
        report(cause)
        throw new CometError('UNAVAILABLE', 'The session could not be saved.', { cause })
      })
    } else if (isNew) {
      this.#saveWithCookie(session, sessionID, report)
    } else {
      touch(this.#req.sessionStore, sessionID, session, report)
    }
  }

  /**
   * Saves a new session without content, if the head of the response has its cookie. Only express-session knows whether
   * it will (its option `saveUninitialized`), and sets the cookie in `writeHead`. The head is held back until then.
   */
  #saveWithCookie(session: StoredSession, id: string, report: (error: unknown) => void): void {
    const res = this.#res
    const { writeHead } = res as { writeHead: (...args: unknown[]) => unknown }
    const store = (...args: unknown[]) => {
      const result = writeHead.apply(res, args)
      if (String(res.getHeader('set-cookie')).includes(encodeURIComponent(id))) {
        const socket = isHttp2(res) ? undefined : res.socket
        socket?.cork()
        save(session)
          .catch(report)
          .finally(() => socket?.uncork())
      }
      return result
    }
    res.writeHead = store as typeof res.writeHead
  }
}

/** The requests whose session was stored. Nothing is left to do for it when their response ends. */
const stored = new WeakSet<Request>()

/** Ends a response, whose head is out, by `end`. A session that was stored before is not stored once more. */
export function withoutSession(res: Response, end: () => void): void {
  const req = res.req as SessionRequest & Request
  if (!stored.has(req)) {
    end()
    return
  }
  const { session, sessionID } = req
  const giveBack = () => {
    req.session = session
    req.sessionID = sessionID
  }
  req.session = undefined
  req.sessionID = undefined
  // Compression comes to the `end` behind its own later. Loggers, which listen for the same events, see the session.
  res.prependListener('finish', giveBack).prependListener('close', giveBack)
  end()
  if (res.writableEnded) giveBack()
}

/** The content of a session in which nothing has been put. */
const EMPTY = '{}'

/** Encodes a session as express-session compares it: without its cookie. */
function contentOf(session: unknown): string | undefined {
  if (session === undefined || session === null) return undefined
  const content = { ...session, cookie: undefined }
  try {
    return JSON.stringify(content)
  } catch {
    // The store will say so when it is to be saved.
    return undefined
  }
}

/** Tells whether the client brought a session: one that it did not bring is new. */
function hasCookie({ headers }: Request, id: string): boolean {
  const cookies = headers.cookie ?? ''
  return id !== '' && (cookies.includes(id) || cookies.includes(encodeURIComponent(id)))
}

function save(session: StoredSession): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = new Error(`The store of the session did not answer in ${SAVE_MS} ms.`)
    const timer = setTimeout(reject, SAVE_MS, late)
    timer.unref()
    const settle = (error?: unknown) => {
      clearTimeout(timer)
      if (error) reject(error)
      else resolve()
    }
    try {
      session.save(settle)
    } catch (error) {
      settle(error)
    }
  })
}

/** Renews the time after which a store forgets a session. The stream does not wait for it. */
function touch(
  store: SessionStore | undefined,
  id: string,
  session: StoredSession,
  report: (error: unknown) => void,
): void {
  try {
    session.touch?.()
    store?.touch?.(id, session, (error) => {
      if (error) report(error)
    })
  } catch (error) {
    report(error)
  }
}
