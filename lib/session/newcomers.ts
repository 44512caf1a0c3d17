import type { CometError } from '../errors.ts'
import { SmallSet } from '../util/small-set.ts'
import type { Session } from './session.ts'

/** A session that is not let in yet. */
export class Newcomer {
  readonly session: Session
  /** The reason why it is not let in, if there is one for the client. */
  refusal: CometError | undefined
  /** Whether the app is asked which rooms it may enter. It may take its time. */
  isAsked = false
  #onEnd: (() => void) | undefined
  #onAdmitted: (() => void) | undefined
  #admitted: Promise<void> | undefined
  #isAdmitted = false

  constructor(session: Session) {
    this.session = session
  }

  /** Settles once presence has answered, and the session has its sid; or the session is not let in at all. */
  whenAdmitted(): Promise<void> {
    if (this.#isAdmitted) return Promise.resolve()
    this.#admitted ??= new Promise((resolve) => {
      this.#onAdmitted = resolve
    })
    return this.#admitted
  }

  /** Presence has answered. Idempotent. */
  markAdmitted(): void {
    this.#isAdmitted = true
    this.#onAdmitted?.()
  }

  /**
   * Waits for an answer, but not longer than the session lasts.
   *
   * @returns undefined when the session has ended
   * @throws the refusal, or what the answer rejects with
   */
  until<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const settle = (result?: T) => {
        if (this.refusal !== undefined) reject(this.refusal)
        else resolve(this.session.closed ? undefined : result)
      }
      this.#onEnd = settle
      answer.then(settle, reject)
    })
  }

  /** For Newcomers only. */
  release(): void {
    this.#onEnd?.()
  }
}

/**
 * The sessions of a node that are identified and not let in yet, by user, oldest first: the app is asked about them, or
 * presence, or their batch is not full.
 */
export class Newcomers {
  readonly #users = new Map<string, SmallSet<Newcomer>>()

  add(session: Session): Newcomer {
    const newcomer = new Newcomer(session)
    const own = this.#users.get(session.uid) ?? new SmallSet()
    if (own.size === 0) this.#users.set(session.uid, own)
    own.add(newcomer)
    return newcomer
  }

  /** Its wait is over, one way or the other. Idempotent. */
  delete(newcomer: Newcomer): void {
    newcomer.markAdmitted()
    const { uid } = newcomer.session
    const all = this.#users.get(uid)
    all?.delete(newcomer)
    if (all?.size === 0) this.#users.delete(uid)
  }

  ofUser(uid: string): Iterable<Newcomer> {
    return this.#users.get(uid)?.members ?? []
  }

  all(): Newcomer[] {
    return Array.from(this.#users.values(), ({ members }) => Array.from(members)).flat()
  }

  /** A session has ended: nobody need wait for its admission any more. */
  release(session: Session): void {
    for (const newcomer of this.ofUser(session.uid)) if (newcomer.session === session) newcomer.release()
  }
}
