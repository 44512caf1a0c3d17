import http from 'node:http'
import { UserActivityEvent as Activity, type UserActivityEvent } from '../../lib/index.ts'
import type { Stay } from './event-ledger.ts'
import type { Torture } from './torture.ts'
import type { TortureClient } from './torture-clients.ts'

const { ENTER_ROOM, LEAVE_ROOM } = Activity.Type

/** Keeps the activity, and which user was in which room during which events. */
export class RoomLog {
  readonly activity: UserActivityEvent[] = []
  readonly #stays = new Map<string, Stay[]>()

  watch({ app, ledger }: Torture): void {
    app.comet.on('activity', (event) => this.take(event, ledger.entries.length))
  }

  take(event: UserActivityEvent, n: number): void {
    const { type, uid, rid = '' } = event
    this.activity.push(event)
    if (type === ENTER_ROOM) {
      this.#stays.set(uid, [...this.staysOf(uid), { rid, from: n, to: Number.POSITIVE_INFINITY }])
    } else if (type === LEAVE_ROOM) {
      const stay = this.staysOf(uid).findLast((each) => each.rid === rid)
      if (stay !== undefined) stay.to = n
    }
  }

  staysOf(uid: string): readonly Stay[] {
    return this.#stays.get(uid) ?? []
  }
}

/** Sends a packet. @returns the status, or undefined without an answer */
export function post(
  port: number,
  { uid, sid }: TortureClient,
  type: 'JOIN' | 'LEAVE',
  rid: string,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'x-user': uid }
    const path = `/comet/${sid}`
    const req = http.request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false })
    req.on('response', (res) => {
      res.resume()
      resolve(res.statusCode)
    })
    req.on('error', () => resolve(undefined)).on('close', () => resolve(undefined))
    req.end(JSON.stringify({ type, [type.toLowerCase()]: { rid } }))
  })
}
