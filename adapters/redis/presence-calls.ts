import { randomBytes } from 'node:crypto'
import { CometError } from '../../lib/errors.ts'
import type { Health } from '../../lib/ports/health.ts'
import { clock } from '../../lib/util/clock.ts'
import { Retry } from '../../lib/util/retry.ts'
import { codeOf, isRefusal, type RedisConnection, type Reply } from './connection.ts'
import { FORMAT } from './keys.ts'
import type { Task } from './presence-task.ts'
import { explain, unavailable } from './refusals.ts'
import type { Script } from './script.ts'

/** How long a call may take, in milliseconds. It is repeated then: it happens once, however often it is sent. */
const CALL_MS = 3_000

/**
 * How often a call asks whether the server is the same process, in milliseconds. Beside that a new server shows by not
 * knowing the script.
 */
const CHECK_MS = 3_000

/** The most that one call asks for. The script stops earlier when it has touched enough. */
const MOST_TASKS = 128
const MOST_CHARACTERS = 131_072

/** How often a task is tried that Redis refuses for another reason than want of memory. */
const MOST_REFUSALS = 5

const US_PER_MS = 1_000

/** What a join found. */
export interface Joined {
  readonly secret: string
  /** The latest stamp of the record. */
  readonly stamp: string
  /** The time on the clock of Redis, in milliseconds. */
  readonly time: number
  /** The node has joined for the first time. */
  readonly isFirst: boolean
  /** The store lost data since the node joined before. */
  readonly isLost: boolean
  /** The node's lease had ended, or may have. */
  readonly isLate: boolean
}

/** What calls need of the node. */
export interface CallsContext {
  readonly node: string
  readonly connection: RedisConnection
  readonly script: Script
  readonly keys: readonly string[]
  readonly health: Health
  /** Milliseconds. */
  readonly lease: number
  /** The grace of the node's sessions when the node is gone, in milliseconds. */
  readonly grace: number
  /** The time on the clock of Redis in microseconds, for tests. Empty: Redis tells it. */
  storeClock(): string
  /** Settles when calls may be made; undefined when they may. */
  gate(): Promise<unknown> | undefined
  /** Takes what the record got by a task, before the task is done. */
  onEntries(entries: readonly string[], task: Task): void
  onJoined(joined: Joined): void
  /** Takes the time on the clocks of Redis and of this node, in microseconds, before and after a call. */
  onTime(store: number, before: number, after: number): void
  /** Makes the tasks that must come right before another one. */
  before(task: Task): readonly Task[]
  /** Makes tasks for which a call has room left. */
  more(room: number): readonly Task[]
}

/** An attempt of a call, and its operations. */
type Attempts = Map<string, readonly Task[]>

/**
 * The calls of a node to the script of presence: one at a time, with all tasks of one turn and those that come while a
 * call is on its way. Calls are numbered. One whose answer was lost is sent again, perhaps with other tasks, until there
 * is an answer: it tells which attempt was carried out.
 *
 * ```
 * join ──▶ call 7 ──▶ answer ──▶ call 8 …
 *   ▲        │ the lease has ended, the store lost data, or there was an outage
 *   └────────┘
 * ```
 *
 * When Redis counts as away, who waits gets UNAVAILABLE. What was not sent is dropped then; what may have been carried
 * out is found out later, and undone.
 */
export class PresenceCalls {
  readonly #context: CallsContext
  readonly #retry = new Retry()
  /** Tasks that are not carried out, in order. */
  #queue: Task[] = []
  /** The attempts of the call that has no answer yet. */
  readonly #attempts: Attempts = new Map()
  #attempt = 0
  /** The number of the last call that was answered. */
  #number = 0
  #epoch: string | undefined
  /** The process of the server. Empty: it is not known. */
  #serverRun = ''
  #isJoined = false
  /** A join was sent, and not answered. */
  #mayHaveJoined = false
  /** That of the namespace, or the one that it will have if it has none. */
  #secret: string | undefined
  /** The latest stamp that was seen. */
  #seen = 0
  /** When it was last asked whether the server is the same, on the clock of `performance.now()`. */
  #checked = Number.NEGATIVE_INFINITY
  #isRunning = false
  #isClosed = false

  constructor(context: CallsContext) {
    this.#context = context
    this.#wake()
  }

  /** Adds a task. It is carried out after those that were added before. */
  add(task: Task): void {
    if (this.#isClosed) {
      task.fail(new CometError('SHUTTING_DOWN', 'The Comet is closed.'))
      return
    }
    if (!this.#context.health.isUp && !task.onOutage(unavailable())) return
    this.#queue.push(task)
    this.#wake()
  }

  /** Whether a call is on its way, and may have been carried out. */
  get isOpen(): boolean {
    return this.#attempts.size > 0
  }

  /** Takes back a task that has not been sent, or makes its result void. */
  drop(isDropped: (task: Task) => boolean): void {
    this.#queue = this.#queue.filter((task) => !isDropped(task))
  }

  /** Redis counts as away: who waits gets UNAVAILABLE. */
  onOutage(error: unknown): void {
    this.#isJoined = false
    const reason = unavailable(error)
    this.#queue = this.#queue.filter((task) => task.onOutage(reason))
    this.#wake()
  }

  /** Notes a stamp that the record brought. */
  see(stamp: number): void {
    if (stamp > this.#seen) this.#seen = stamp
  }

  /** Goes on: there is something to do that is no task yet. */
  wake(): void {
    this.#wake()
  }

  /** Makes no more calls. The one on its way is not repeated. */
  close(): void {
    this.#isClosed = true
    this.#retry.stop()
    for (const task of this.#queue) task.fail(new CometError('SHUTTING_DOWN', 'The Comet is closed.'))
    this.#queue = []
  }

  #wake(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    setImmediate(() => this.#work())
  }

  async #work(): Promise<void> {
    const { connection, health } = this.#context
    while (!this.#isClosed) {
      let tasks: readonly Task[] = []
      try {
        if (!connection.isReady) throw connection.trouble
        if (!this.#isJoined) await this.#join()
        const gate = this.#context.gate()
        if (gate !== undefined) await gate
        tasks = this.#pick()
        const isIdle = tasks.length === 0 && this.#attempts.size === 0
        if (!isIdle) await this.#call(tasks)
        health.works('presence')
        this.#retry.reset()
        if (isIdle) break
        // Those who got an answer go on before the next call, which takes along what they do then.
        await new Promise(setImmediate)
      } catch (error) {
        if (this.#isClosed) break
        // The connection may be to another server now.
        this.#isJoined = false
        if (isRefusal(error)) this.#onRefusal(tasks, error)
        health.failed('presence', error)
        await this.#retry.wait()
      }
    }
    this.#isRunning = false
  }

  async #join(): Promise<void> {
    const { script, connection, keys, lease, grace } = this.#context
    const mayHaveJoined = this.#mayHaveJoined
    this.#mayHaveJoined = true
    const candidate = [String(FORMAT), String(this.#number), String(lease), String(grace)]
    // After a loss of data the others have this one still.
    this.#secret ??= newNamespaceSecret()
    const args = [...this.#head('join', '0', true), ...candidate, this.#secret]
    const before = nowUs()
    const reply = (await script.run(connection, keys, args, CALL_MS)) as readonly Reply[]
    const [status, time, stamp, epoch, late, secret, number, run] = reply
    if (status !== 'JOINED') throw explain(new Error(reply.join(' ')))
    this.#context.onTime(Number(time), before, nowUs())
    const former = this.#epoch
    this.#epoch = String(epoch)
    this.#serverRun = String(run)
    this.#seen = Number(stamp)
    if (former === undefined) this.#number = Number(number)
    this.#secret = String(secret)
    this.#isJoined = true
    this.#mayHaveJoined = false
    this.#context.onJoined({
      secret: String(secret),
      stamp: String(stamp),
      time: Number(time) / US_PER_MS,
      isFirst: former === undefined,
      isLost: former !== undefined && former !== epoch,
      isLate: late === 1 || mayHaveJoined,
    })
  }

  /** Chooses the tasks of the next call: the first of the queue, each after those that must come before it. */
  #pick(): Task[] {
    const picked: Task[] = []
    let size = 0
    const add = (task: Task) => {
      picked.push(task)
      for (const text of task.operation()) size += text.length
    }
    for (
      let at = 0;
      at < this.#queue.length && picked.length < MOST_TASKS && size < MOST_CHARACTERS;
      at += 1
    ) {
      const first = this.#context.before(this.#queue[at] as Task)
      if (first.length > 0) this.#queue.splice(at, 0, ...first)
      add(this.#queue[at] as Task)
    }
    if (picked.length === this.#queue.length && picked.length < MOST_TASKS) {
      for (const task of this.#context.more(MOST_TASKS - picked.length)) {
        this.#queue.push(task)
        add(task)
      }
    }
    return picked
  }

  async #call(tasks: readonly Task[]): Promise<void> {
    const { script, connection, keys } = this.#context
    const isNumbered = this.#attempts.size > 0 || tasks.some(({ options }) => !options.isRead)
    const attempt = isNumbered ? this.#attemptOf(tasks) : '0'
    const number = isNumbered ? String(this.#number + 1) : '0'
    const args = [...this.#head(number, attempt), ...tasks.flatMap((task) => task.operation())]
    const before = nowUs()
    const reply = await script.runKnown(connection, keys, args, CALL_MS)
    const [status, time, stamp, done, ...answers] = (reply ?? []) as readonly Reply[]
    // A server that does not know the script is another one: only a join may tell it.
    if (reply === undefined || status === 'EPOCH' || status === 'LEASE') {
      this.#isJoined = false
      return
    }
    if (status !== 'DONE') throw new Error(`Redis knows a later call of this node (${String(status)}).`)
    this.#context.onTime(Number(time), before, nowUs())
    this.see(Number(stamp))
    const carriedOut = isNumbered ? (this.#attempts.get(String(done)) ?? []) : tasks
    if (isNumbered) {
      this.#number += 1
      this.#attempts.clear()
    }
    this.#settle(carriedOut, answers)
  }

  #settle(tasks: readonly Task[], answers: readonly Reply[]): void {
    const count = answers.length / 2
    for (let at = 0; at < count; at += 1) {
      const task = tasks[at]
      if (task === undefined) break
      this.#context.onEntries(answers[2 * at + 1] as readonly string[], task)
      task.done(answers[2 * at] ?? null)
    }
    let first = 0
    while (this.#queue[first]?.isDone) first += 1
    this.#queue.splice(0, first)
    if (first < count) this.#queue = this.#queue.filter(({ isDone }) => !isDone)
  }

  /** Notes an attempt. One with the same tasks as another one need not be told from it. */
  #attemptOf(tasks: readonly Task[]): string {
    for (const [attempt, others] of this.#attempts) {
      if (others.length === tasks.length && others.every((task, at) => task === tasks[at])) return attempt
    }
    this.#attempt += 1
    const attempt = String(this.#attempt)
    this.#attempts.set(attempt, tasks)
    return attempt
  }

  #head(number: string, attempt: string, checks = performance.now() - this.#checked >= CHECK_MS): string[] {
    const { node, storeClock } = this.#context
    if (checks) this.#checked = performance.now()
    const times = [String(nowUs()), String(this.#seen), storeClock()]
    return [node, number, attempt, this.#epoch ?? '', ...times, checks ? this.#serverRun : '']
  }

  /** Redis carried nothing out, and may never. */
  #onRefusal(tasks: readonly Task[], error: unknown): void {
    const reason = unavailable(error)
    const isForMemory = codeOf(error) === 'OOM'
    const dropped = new Set<Task>()
    for (const task of tasks) {
      if (!isForMemory) task.refusals += 1
      if (task.options.isLasting && task.refusals < MOST_REFUSALS) continue
      task.fail(reason)
      dropped.add(task)
    }
    this.drop((task) => dropped.has(task))
  }
}

/** Makes a secret with which nodes sign what comes back to them. */
export function newNamespaceSecret(): string {
  return randomBytes(32).toString('base64url')
}

function nowUs(): number {
  return Number((clock.now() + 999n) / 1_000n)
}
