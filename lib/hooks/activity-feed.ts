import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { EmitQueue } from './emit-queue.ts'
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
export class ActivityFeed extends EmitQueue<UserActivityEvent> {
  constructor(hooks: Hooks) {
    super(hooks, (event) => {
      hooks.emit('activity', event)
      const name = NAMES[event.type]
      if (name !== undefined) hooks.emit(name, event as HookMap[typeof name])
    })
  }
}
