/** What a client is told that was disconnected before its user was known. */
interface Cause {
  readonly reason?: string | undefined
  readonly reconnect?: boolean | undefined
}

/** Watches which users are disconnected while `identify` has not told whose request it is. */
export class DisconnectWatch {
  /** Higher than that of every watch that began before on this node. */
  readonly number: number
  readonly #log: DisconnectLog

  /** For DisconnectLog only. */
  constructor(log: DisconnectLog, number: number) {
    this.#log = log
    this.number = number
  }

  /** Tells why a user was disconnected since the watch began. Undefined: it was not. */
  disconnected(uid: string): Cause | undefined {
    return this.#log.since(uid, this.number)
  }

  /** Called once, when the user is known or never will be. */
  end(): void {
    this.#log.end(this.number)
  }
}

/** The most disconnects that are kept: an app whose `identify` never answers must not fill the memory. */
const MOST = 10_000

/**
 * The users that were disconnected while requests for streams waited for `identify`: an answer that is older than the
 * call must not let its user in. Nothing is kept while nobody watches.
 */
export class DisconnectLog {
  /** The watches that are not over, oldest first. */
  readonly #open = new Set<number>()
  /** The latest disconnect of each user, oldest first, as long as an older watch is open. */
  readonly #disconnects = new Map<string, { readonly number: number; readonly cause: Cause }>()
  #count = 0

  /** The number of a watch that would begin now. */
  next(): number {
    this.#count += 1
    return this.#count
  }

  watch(): DisconnectWatch {
    const number = this.next()
    this.#open.add(number)
    return new DisconnectWatch(this, number)
  }

  note(uid: string, cause: Cause): void {
    if (this.#open.size === 0) return
    this.#disconnects.delete(uid)
    this.#disconnects.set(uid, { number: this.next(), cause })
    const [oldest] = this.#disconnects.keys()
    if (this.#disconnects.size > MOST && oldest !== undefined) this.#disconnects.delete(oldest)
  }

  /** For DisconnectWatch only. */
  since(uid: string, number: number): Cause | undefined {
    const latest = this.#disconnects.get(uid)
    return latest !== undefined && latest.number > number ? latest.cause : undefined
  }

  /** For DisconnectWatch only. */
  end(number: number): void {
    this.#open.delete(number)
    if (this.#disconnects.size === 0) return
    const [oldest = Number.POSITIVE_INFINITY] = this.#open
    for (const [uid, disconnect] of this.#disconnects) {
      if (disconnect.number > oldest) break
      this.#disconnects.delete(uid)
    }
  }
}
