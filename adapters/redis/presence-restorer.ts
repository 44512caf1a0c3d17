import type { PresenceHandler, RestorableSession, SessionConnection } from '../../lib/ports/presence.ts'
import { operation, restoreOperation, type SessionInGrace } from './presence-operations.ts'
import { Task } from './presence-task.ts'

/** What a node needs to restore its sessions. */
export interface RestorerContext {
  /** How many sessions are restored in a second after the store lost data. */
  readonly rate: number
  readonly handler: Pick<PresenceHandler, 'sessions' | 'onSuperseded' | 'onMembershipRestored'>
  /** How many takeovers the session of a connection has had. */
  generationOf(connection: string): number
  /** The sessions in grace that this node began, as far as their end is not known. */
  inGrace(): Iterable<SessionInGrace>
  /** The time on the clock of Redis, in milliseconds. */
  storeTime(): number
  /** Carries a task out. */
  add(task: Task): void
  /** Takes back tasks that are not carried out. */
  drop(isDropped: (task: Task) => boolean): void
  /** There is something to restore. */
  wake(): void
  /** Whether a call is on its way that may have added sessions. */
  isCallOpen(): boolean
}

/** A session that is to be restored. */
export interface Claim {
  readonly session: RestorableSession
  readonly generation: number
  /** On the clock of Redis, in milliseconds. Undefined: the session is live. */
  readonly deadline?: number | undefined
}

const TICK_MS = 100

/**
 * Brings the sessions of a node back, after its lease ended or the store lost data. Each goes before anything else that
 * this node does about its user; the others at a pace, if all nodes have to.
 */
export class PresenceRestorer {
  readonly #context: RestorerContext
  /** What is to be restored, by user. */
  readonly #claims = new Map<string, Claim[]>()
  readonly #uids = new Map<string, string>()
  /** The connections of the sessions that were, or will be, restored. */
  readonly #claimed = new Set<string>()
  /** Tasks that are not carried out, and what they restore. */
  readonly #tasks = new Map<Task, Claim | undefined>()
  #isLost = false
  #isActive = false
  /** How many may be restored now. */
  #allowance = 0
  #timer: NodeJS.Timeout | undefined

  constructor(context: RestorerContext) {
    this.#context = context
  }

  /**
   * Begins, or begins anew.
   *
   * @param closed live sessions that this node has ended since, and presence was not told
   */
  begin(isLost: boolean, closed: Iterable<Claim>): void {
    this.#isLost ||= isLost
    this.#isActive = true
    this.#claims.clear()
    this.#uids.clear()
    this.#claimed.clear()
    // What an earlier beginning has left is void, and would be wrong after data was lost again.
    this.#context.drop((task) => this.#tasks.has(task))
    this.#tasks.clear()
    if (this.#isLost) {
      for (const { session, generation, deadline } of this.#context.inGrace()) {
        this.#add({ session, generation, deadline })
      }
      for (const claim of closed) this.#add(claim)
    }
    this.#addLive()
    this.#allowance = this.#perTick
    clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#onTick(), TICK_MS)
    this.#timer.unref()
  }

  /** Whether sessions are being restored. */
  get isActive(): boolean {
    return this.#isActive
  }

  /** Adds the live sessions that are not added. @returns whether there was one */
  #addLive(): boolean {
    const size = this.#claimed.size
    for (const session of this.#context.handler.sessions()) {
      if (this.#claimed.has(session.connection)) continue
      this.#add({ session, generation: this.#context.generationOf(session.connection) })
    }
    return this.#claimed.size > size
  }

  get #perTick(): number {
    return this.#isLost
      ? Math.max(1, Math.round((this.#context.rate * TICK_MS) / 1_000))
      : Number.POSITIVE_INFINITY
  }

  /** Makes the tasks for the sessions that another task is about. */
  before({ options: { uid, sid } }: Task): readonly Task[] {
    if (this.#claims.size === 0) return []
    const user = uid ?? (sid === undefined ? undefined : this.#uids.get(sid))
    return user === undefined ? [] : this.#take(user)
  }

  /** Makes tasks at the pace of restoring. */
  more(room: number): readonly Task[] {
    const tasks: Task[] = []
    for (const uid of this.#claims.keys()) {
      if (tasks.length >= Math.min(room, this.#allowance)) break
      tasks.push(...this.#take(uid))
    }
    this.#allowance -= tasks.length
    return tasks
  }

  /** A session is ending on this node. After a loss it is restored before, so that its end can be said. */
  ends(session: SessionConnection): void {
    if (!this.#isLost) this.ended(session)
  }

  /** A session has ended: it must not be restored. */
  ended({ uid, sid }: SessionConnection): void {
    if (!this.#isActive) return
    this.#context.drop((task) => {
      const isVoid = this.#tasks.get(task)?.session.sid === sid
      if (isVoid) this.#tasks.delete(task)
      return isVoid
    })
    const claims = this.#claims.get(uid)?.filter(({ session }) => session.sid !== sid)
    if (claims === undefined) return
    if (claims.length === 0) this.#claims.delete(uid)
    else this.#claims.set(uid, claims)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#claims.clear()
  }

  #add(claim: Claim): void {
    const { uid, sid } = claim.session
    const claims = this.#claims.get(uid) ?? []
    this.#claims.set(uid, claims)
    claims.push(claim)
    this.#uids.set(sid, uid)
    this.#claimed.add(claim.session.connection)
  }

  #take(uid: string): Task[] {
    const claims = this.#claims.get(uid) ?? []
    this.#claims.delete(uid)
    return claims.map((claim) => this.#taskOf(claim))
  }

  #taskOf(claim: Claim): Task {
    const { session, generation, deadline } = claim
    const { handler } = this.#context
    const lost = this.#isLost
    const graceLeft = () => (deadline === undefined ? undefined : deadline - this.#context.storeTime())
    const task: Task = new Task(() => restoreOperation(session, generation, graceLeft(), lost), {
      isLasting: true,
      onDone: (answer) => {
        if (Array.isArray(answer)) {
          for (const rid of answer) handler.onMembershipRestored(session.uid, String(rid))
        }
        if (!this.#tasks.delete(task)) return
        const { uid, sid, connection } = session
        if (answer === 0 && deadline === undefined) handler.onSuperseded({ uid, sid, connection })
      },
    })
    this.#tasks.set(task, claim)
    return task
  }

  #onTick(): void {
    this.#allowance = this.#perTick
    if (this.#claims.size > 0) this.#context.wake()
    // A connect whose answer was lost may have been carried out before.
    else if (this.#tasks.size > 0 || this.#context.isCallOpen()) return
    else if (this.#addLive()) this.#context.wake()
    else if (this.#isLost) this.#settle('')
    else this.#finish()
  }

  /** Ends what the store still has of this node's sessions that ended before, slice by slice. */
  #settle(last: string): void {
    const task: Task = new Task(operation('settle', last), {
      isLasting: true,
      onDone: (answer) => {
        if (!this.#tasks.delete(task)) return
        if (answer !== '') this.#settle(String(answer))
        else this.#finish()
      },
    })
    this.#tasks.set(task, undefined)
    this.#context.add(task)
  }

  #finish(): void {
    this.#isActive = false
    this.#isLost = false
    this.#uids.clear()
    this.#claimed.clear()
    clearInterval(this.#timer)
  }
}
