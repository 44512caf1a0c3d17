import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { Fifo } from '../util/fifo.ts'
import type { HookMap, Hooks } from './hooks.ts'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

const NAMES: { readonly [type: number]: 'online' | 'offline' | 'heard' | 'enter' | 'leave' } = {
  [ONLINE]: 'online',
  [OFFLINE]: 'offline',
  [HEARD]: 'heard',
  [ENTER_ROOM]: 'enter',
  [LEAVE_ROOM]: 'leave',
}

/** Emits user activity to the hooks. Every listener gets it in the order it happened. */
export class ActivityFeed {
  readonly #hooks: Hooks
  readonly #queue = new Fifo<UserActivityEvent>()
  #draining = false

  constructor(hooks: Hooks) {
    this.#hooks = hooks
  }

  /**
   * Emits events, or queues them when a hook calls this during an emit: the later listeners must get the event that the
   * hook reacted to before those that it caused.
   */
  push(events: readonly UserActivityEvent[]): void {
    this.#hooks.rememberCause(events)
    // Not spread into one call: a user may leave more rooms at once than a call takes arguments.
    for (const event of events) this.#queue.push(event)
    if (this.#draining) return
    this.#draining = true
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      this.#hooks.emit('activity', event)
      const name = NAMES[event.type]
      if (name !== undefined) this.#hooks.emit(name, event as HookMap[typeof name])
    }
    this.#draining = false
  }
}
