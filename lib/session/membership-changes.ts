/** The key of a user's own membership of a room. */
export const userKey = (rid: string): string => `u${rid}`

/** The key of `leave` for a user, which ends the memberships of its sessions, too. */
export const expulsionKey = (rid: string): string => `x${rid}`

/** The key of a session's membership of a room. */
export const sessionKey = ({ connection }: { readonly connection: string }, rid: string): string =>
  `s${connection} ${rid}`

/** The changes of one user since somebody watches. */
class UserChanges {
  readonly uid: string
  watchers = 0
  /** The number of changes and watches so far. */
  count = 0
  /** The number of the latest change by key. Undefined until the first one. */
  latest: Map<string, number> | undefined

  constructor(uid: string) {
    this.uid = uid
  }

  next(): number {
    this.count += 1
    return this.count
  }
}

/** Tells what has changed since it was made or restarted. Its owner ends it. */
export class Watch {
  readonly #owner: MembershipChanges
  readonly #changes: UserChanges
  #since: number

  /** For MembershipChanges only. */
  constructor(owner: MembershipChanges, changes: UserChanges) {
    this.#owner = owner
    this.#changes = changes
    this.#since = changes.next()
  }

  restart(): void {
    this.#since = this.#changes.next()
  }

  saw(key: string): boolean {
    return (this.#changes.latest?.get(key) ?? 0) > this.#since
  }

  /**
   * Claims a membership for an answer to what was asked when the watch was made.
   *
   * @returns false when a later change, or the answer to a later question, counts
   */
  claim(key: string): boolean {
    if (this.saw(key)) return false
    this.#changes.latest ??= new Map()
    this.#changes.latest.set(key, this.#since)
    return true
  }

  /** Called once. */
  end(): void {
    this.#owner.end(this.#changes)
  }
}

/**
 * Notes the changes of memberships that are made on this node, while somebody waits: for presence, whose answer may be
 * older than a change when it arrives, or for `canEnter`, whose yes must not outlive a `leave` that came meanwhile.
 *
 * Nothing is kept for a user that nobody waits for.
 */
export class MembershipChanges {
  readonly #users = new Map<string, UserChanges>()

  /** Begins to watch the changes of a user. */
  watch(uid: string): Watch {
    const changes = this.#users.get(uid) ?? new UserChanges(uid)
    if (changes.watchers === 0) this.#users.set(uid, changes)
    changes.watchers += 1
    return new Watch(this, changes)
  }

  /** For Watch only. */
  end(changes: UserChanges): void {
    changes.watchers -= 1
    if (changes.watchers === 0) this.#users.delete(changes.uid)
  }

  /** Notes a change. It belongs into the step that makes the change. */
  note(uid: string, key: string): void {
    const changes = this.#users.get(uid)
    if (changes === undefined) return
    changes.latest ??= new Map()
    changes.latest.set(key, changes.next())
  }
}
