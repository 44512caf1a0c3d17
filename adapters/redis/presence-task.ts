import type { Reply } from './connection.ts'
import type { Operation } from './presence-operations.ts'

/** How a task differs from others. */
export interface TaskOptions {
  /**
   * The user whose sessions must have been restored before.
   *
   * @default undefined: none
   */
  readonly uid?: string | undefined
  /**
   * The session that must have been restored before.
   *
   * @default undefined: none
   */
  readonly sid?: string | undefined
  /**
   * It changes nothing.
   *
   * @default false
   */
  readonly isRead?: boolean
  /**
   * Carried out, however late, when nobody waits for it any more.
   *
   * @default false: it is dropped then if it was not sent
   */
  readonly isLasting?: boolean
  /**
   * The answer to the caller when Redis is away.
   *
   * @default undefined: it rejects with UNAVAILABLE
   */
  readonly early?: Reply
  /**
   * Takes the answer, before the caller gets it.
   *
   * @param isAwaited false when nobody waits any more
   * @default undefined: nothing else happens
   */
  readonly onDone?: (answer: Reply, isAwaited: boolean) => void
}

/** An operation on its way. */
export class Task {
  /** Made each time that it is sent. */
  readonly operation: () => Operation
  readonly options: TaskOptions
  readonly answer: Promise<Reply>
  /** Whether it was carried out. */
  isDone = false
  /** How many times Redis refused it. */
  refusals = 0
  /** The stamp of the last entry that it added to the record, in microseconds. */
  stamp = 0
  #isAwaited = true
  #resolve: (answer: Reply) => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(operation: Operation | (() => Operation), options: TaskOptions = {}) {
    this.operation = typeof operation === 'function' ? operation : () => operation
    this.options = options
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Not each task has somebody who waits.
    this.answer.catch(() => {})
  }

  done(answer: Reply): void {
    this.isDone = true
    this.options.onDone?.(answer, this.#isAwaited)
    this.#resolve(answer)
  }

  /** It is not carried out, as far as who waits is concerned. */
  fail(error: Error): void {
    this.#isAwaited = false
    this.#reject(error)
  }

  /** Redis is away. @returns whether it is carried out later all the same */
  onOutage(error: Error): boolean {
    const { early, isLasting = false } = this.options
    if (early === undefined && !isLasting) this.fail(error)
    else if (early !== undefined) {
      this.#isAwaited = false
      this.#resolve(early)
    }
    return isLasting
  }
}
