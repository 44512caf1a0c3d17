import { Fifo } from '../util/fifo.ts'
import type { Hooks } from './hooks.ts'

/**
 * Emits values to the hooks. Every listener gets them in the order they happened: what a listener causes during an emit
 * comes after the value that it reacted to, also for the listeners behind it.
 */
export class EmitQueue<T extends object> {
  readonly #hooks: Hooks
  readonly #emit: (value: T) => void
  readonly #queue = new Fifo<T>()
  #draining = false

  /** @param emit emits one value. Never throws */
  constructor(hooks: Hooks, emit: (value: T) => void) {
    this.#hooks = hooks
    this.#emit = emit
  }

  /** Emits values, or queues them when a hook calls this during an emit. */
  push(values: readonly T[]): void {
    this.#hooks.rememberCause(values)
    // Not spread into one call: a user may leave more rooms at once than a call takes arguments.
    for (const value of values) this.#queue.push(value)
    if (this.#draining) return
    this.#draining = true
    for (let value = this.#queue.shift(); value !== undefined; value = this.#queue.shift()) {
      this.#emit(value)
    }
    this.#draining = false
  }
}
