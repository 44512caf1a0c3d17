import { Timetable } from './timetable.ts'
import { UplinkState } from './uplink-state.ts'

/**
 * The uplinks of a node's sessions, by sid. One outlives its connection for as long as another may take over, so that
 * a packet sent again after a reconnect is known, and a reconnect brings no new allowance.
 */
export class Uplinks {
  readonly #rate: number
  readonly #states = new Map<string, UplinkState>()
  readonly #timetable = new Timetable<string>((sid) => {
    this.#states.delete(sid)
    return Number.POSITIVE_INFINITY
  })

  /** @param rate packets a second */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** The uplink of a session, made with its first packet. */
  of(sid: string): UplinkState {
    let state = this.#states.get(sid)
    if (state === undefined) {
      state = new UplinkState(this.#rate)
      this.#states.set(sid, state)
    }
    return state
  }

  /** A session was taken over. */
  keep(sid: string): void {
    this.#timetable.delete(sid)
  }

  /** A session ended, and may be taken over for so many milliseconds. */
  release(sid: string, grace: number): void {
    if (!this.#states.has(sid)) return
    if (grace > 0) this.#timetable.set(sid, performance.now() + grace)
    else this.#states.delete(sid)
  }
}
