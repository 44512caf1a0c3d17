/** A session as the app sees it. A copy: later changes are not in it. */
export interface SessionInfo {
  /** The session's id, which the client needs to send packets. It is of no use to another user. */
  readonly sid: string
  /** The connection's id: another one after each reconnect, also where a takeover keeps the sid. */
  readonly connection: string
  readonly uid: string
  readonly anonymous: boolean
  /** The rooms whose events the session gets: those it entered, and those of its user (`comet.enter({ uid }, rid)`). */
  readonly rooms: readonly string[]
  readonly clientId?: string
}
