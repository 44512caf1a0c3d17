import type { Except } from '../ports/broker.ts'
import { flat } from '../util/flat.ts'

/** The number of ids from which on a Set finds one quicker than a list. */
const MANY = 8

/** The memory that an exclusion takes besides its ids, and that each id takes besides its letters, in bytes. */
const BYTES = 150
const ID_BYTES = 50

/** A reader of events, as far as an exclusion is concerned. */
export interface Reader {
  readonly uid: string
  readonly sid: string
}

/** The sessions that an event passes over: its option `except`, ready to be asked for each session. */
export class Exclusion {
  readonly #isOfUsers: boolean
  readonly #ids: readonly string[]
  readonly #set: ReadonlySet<string> | undefined
  /** The memory that it takes, in bytes. */
  readonly bytes: number

  constructor({ uids, sids }: Except) {
    this.#isOfUsers = uids !== undefined
    // They are kept as long as the event is.
    this.#ids = (uids ?? sids ?? []).map(flat)
    this.#set = this.#ids.length < MANY ? undefined : new Set(this.#ids)
    // Not each time that it is asked for: each target of an event does so.
    this.bytes = this.#ids.reduce((sum, id) => sum + 2 * id.length + ID_BYTES, BYTES)
  }

  /** Tells whether the event passes over a session. */
  covers({ uid, sid }: Reader): boolean {
    const id = this.#isOfUsers ? uid : sid
    return this.#set === undefined ? this.#ids.includes(id) : this.#set.has(id)
  }
}
