import type { SessionConnection } from '../../lib/ports/presence.ts'
import type { Reply } from './connection.ts'
import { operation } from './presence-operations.ts'
import { Task } from './presence-task.ts'

/** The longest and the most that is random of the time between two looks for what is due, in milliseconds. */
const SWEEP_MS = 1_000
const JITTER_MS = 400

/** What timers needs of the node. */
export interface TimersContext {
  /** Milliseconds. */
  readonly lease: number
  /** The grace of the node's sessions when the node is gone, in milliseconds. */
  readonly grace: number
  add(task: Task): void
  /** Connections of this node were taken over, or their sessions ended, and the node may not know. */
  onSuperseded(session: SessionConnection): void
  /** All graces up to a time on the clock of Redis have ended. */
  onGracesOver(time: number): void
}

/** Renews the lease of a node, and ends what is due: graces, and the leases of other nodes. */
export class PresenceTimers {
  readonly #context: TimersContext
  #renewals: NodeJS.Timeout | undefined
  #sweep: NodeJS.Timeout | undefined
  /** When the next sweep begins, on the clock of `performance.now()`. */
  #due = Number.POSITIVE_INFINITY
  #isSweeping = false
  #isClosed = false

  constructor(context: TimersContext) {
    this.#context = context
  }

  start(): void {
    if (this.#renewals !== undefined || this.#isClosed) return
    this.#renewals = setInterval(() => this.renew(), this.#context.lease / 3)
    this.#renewals.unref()
    this.#sweepIn(Math.random() * SWEEP_MS)
  }

  renew(): void {
    const { lease, grace, add, onSuperseded } = this.#context
    const onDone = (answer: Reply) => {
      const flat = answer as readonly string[]
      for (let at = 0; at + 2 < flat.length; at += 3) {
        const [uid = '', sid = '', connection = ''] = flat.slice(at, at + 3)
        onSuperseded({ uid, sid, connection })
      }
    }
    add(new Task(operation('renew', String(lease), String(grace)), { onDone }))
  }

  /** Something is due after some time: this node should see to it then. */
  expect(milliseconds: number): void {
    if (this.#isClosed || performance.now() + milliseconds >= this.#due) return
    this.#sweepIn(milliseconds)
  }

  /** Looks for what is due now. @returns settles when it is done; also when it failed */
  async sweep(): Promise<void> {
    if (this.#isSweeping) return
    this.#isSweeping = true
    let next = SWEEP_MS
    try {
      for (let more = true; more && !this.#isClosed; ) {
        const task = new Task(operation('sweep'))
        this.#context.add(task)
        const [rest, due, ended] = (await task.answer) as readonly Reply[]
        more = rest === 1
        next = Number(due) < 0 ? SWEEP_MS : Number(due)
        if (Number(ended) > 0) this.#context.onGracesOver(Number(ended))
      }
    } catch {
      // Redis is away. When it is back there is another time.
    }
    this.#isSweeping = false
    if (!this.#isClosed) this.expect(Math.min(next + Math.random() * JITTER_MS, SWEEP_MS))
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#renewals)
    clearTimeout(this.#sweep)
  }

  #sweepIn(milliseconds: number): void {
    clearTimeout(this.#sweep)
    this.#due = performance.now() + milliseconds
    this.#sweep = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY
      this.sweep()
    }, milliseconds)
    this.#sweep.unref()
  }
}
