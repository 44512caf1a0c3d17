import { EmitQueue } from './emit-queue.ts'
import type { Hooks, SessionEnd, SessionStart } from './hooks.ts'

/** Emits the starts and ends of streams to the hooks. Every listener gets the start of a stream before its end. */
export class SessionFeed extends EmitQueue<SessionStart | SessionEnd> {
  constructor(hooks: Hooks) {
    super(hooks, (value) => {
      if ('code' in value) hooks.emit('disconnect', value)
      else hooks.emit('connect', value)
    })
  }
}
