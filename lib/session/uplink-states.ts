import { type Timed, Timetable } from '../util/timer-wheel.ts'
import { UplinkState } from './uplink-state.ts'

class Uplink implements Timed {
  readonly sid: string
  readonly state: UplinkState
  slot: number | undefined

  constructor(sid: string, rate: number) {
    this.sid = sid
    this.state = new UplinkState(rate)
  }
}

/**
 * The uplinks of a node's sessions, by sid. One outlives its connection for as long as another may take over, so that
 * a packet sent again after a reconnect is known, and a reconnect brings no new allowance.
 */
export class Uplinks {
  readonly #rate: number
  readonly #uplinks = new Map<string, Uplink>()
  readonly #timetable = new Timetable<Uplink>(({ sid }) => {
    this.#uplinks.delete(sid)
    return Number.POSITIVE_INFINITY
  })

  /** @param rate packets a second */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** The uplink of a session, made with its first packet. */
  of(sid: string): UplinkState {
    let uplink = this.#uplinks.get(sid)
    if (uplink === undefined) {
      uplink = new Uplink(sid, this.#rate)
      this.#uplinks.set(sid, uplink)
    }
    return uplink.state
  }

  /** A session was taken over. */
  keep(sid: string): void {
    const uplink = this.#uplinks.get(sid)
    if (uplink !== undefined) this.#timetable.delete(uplink)
  }

  /** A session ended, and may be taken over for so many milliseconds. */
  release(sid: string, grace: number): void {
    const uplink = this.#uplinks.get(sid)
    if (uplink === undefined) return
    if (grace > 0) this.#timetable.set(uplink, performance.now() + grace)
    else this.#uplinks.delete(sid)
  }
}
