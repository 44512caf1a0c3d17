/** One receiver of events: a user, a room, a session, or (without a key) the world. */
export type Target =
  | { readonly uid: string; readonly rid?: never; readonly sid?: never }
  | { readonly uid?: never; readonly rid: string; readonly sid?: never }
  | { readonly uid?: never; readonly rid?: never; readonly sid: string }
  | { readonly uid?: never; readonly rid?: never; readonly sid?: never }

/** Makes a key for maps: one text per target. */
export function targetKey({ uid, rid, sid }: Target): string {
  if (uid !== undefined) return `u${uid}`
  if (rid !== undefined) return `r${rid}`
  return sid === undefined ? 'w' : `s${sid}`
}

/** Returns the target that a key was made for. */
export function targetOfKey(key: string): Target {
  const id = key.slice(1)
  if (key.startsWith('u')) return { uid: id }
  if (key.startsWith('r')) return { rid: id }
  return key.startsWith('s') ? { sid: id } : {}
}
