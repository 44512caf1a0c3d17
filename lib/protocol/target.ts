/**
 * The receivers of an event: a user, else a room, else the world. With both keys, `uid` decides.
 *
 * The union makes the compiler refuse `{ uid: user?.id }`: a target that may be missing must not become the world by
 * accident.
 */
export type Target =
  | { readonly uid: string; readonly rid?: string }
  | { readonly uid?: never; readonly rid: string }
  | { readonly uid?: never; readonly rid?: never }

/** Anything that carries a target: an event, an envelope, a delivery. */
interface Targeted {
  readonly uid?: string
  readonly rid?: string
}

/** Makes a key for maps: one text per target. */
export function targetKey({ uid, rid }: Targeted): string {
  if (uid !== undefined) return `u${uid}`
  return rid === undefined ? 'w' : `r${rid}`
}

/** Returns the target that a key was made for. */
export function targetOfKey(key: string): Target {
  const id = key.slice(1)
  if (key.startsWith('u')) return { uid: id }
  return key.startsWith('r') ? { rid: id } : {}
}

/** Extracts the target from what carries it, without the `rid` that `uid` overrides. */
export function targetIn({ uid, rid }: Targeted): Target {
  if (uid !== undefined) return { uid }
  return rid === undefined ? {} : { rid }
}
