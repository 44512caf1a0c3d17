import type { RoomChange } from '../ports/presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { now } from '../util/clock.ts'

/** What one step has changed. */
export interface Changes {
  /** They share one time stamp. */
  readonly events: readonly UserActivityEvent[]
  /** Of the rooms that are watched. */
  readonly rooms: readonly RoomChange[]
}

/** Receives what one step has changed. */
export type Report = (changes: Changes) => void

/** Collects the changes of one step. */
export class Step implements Changes {
  readonly events: UserActivityEvent[] = []
  readonly rooms: RoomChange[] = []
  readonly #uid: string
  readonly #time = now()

  constructor(uid: string) {
    this.#uid = uid
  }

  add(type: UserActivityEvent.Type, rid?: string): void {
    this.events.push(new UserActivityEvent({ type, uid: this.#uid, rid, time: this.#time }))
  }
}
