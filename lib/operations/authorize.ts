import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Identification } from '../session/identity.ts'
import { expulsionKey, type Watch } from '../session/membership-changes.ts'
import type { Newcomer } from '../session/newcomers.ts'
import { mayEnterAll, refusal } from './rooms.ts'
import type { GrantedRooms } from './takeover.ts'

const NONE: readonly string[] = []
const NO_ROOMS: GrantedRooms = { identity: NONE, url: NONE, refused: NONE }

/** What decides about the rooms of a client. */
interface Answers {
  readonly identity: Identification
  /** The rooms that the client asks to enter. */
  readonly rids: ReadonlySet<string>
  /** Those that `canEnter` allowed. */
  readonly allowed: readonly string[]
}

/**
 * Finds the rooms that `canEnter` is asked about. Those of `identify` need no asking, and there must be place for the
 * others besides them.
 */
export function toAsk(node: Node, { rooms }: Identification, rids: ReadonlySet<string>): readonly string[] {
  if (rids.size === 0) return NONE
  const free = Math.max(0, node.options.maxRoomsPerSession - rooms.length)
  return Array.from(rids)
    .filter((rid) => !rooms.includes(rid))
    .slice(0, free)
}

/** Asks `canEnter` about rooms. Meanwhile `disconnect` can find the session. @returns those that it allowed */
export async function authorize(
  node: Node,
  newcomer: Newcomer,
  { info }: Identification,
  asked: readonly string[],
): Promise<readonly string[]> {
  const { session } = newcomer
  const applicant = { uid: session.uid, info, session: node.registry.infoOf(session) }
  newcomer.isAsked = true
  const allowed = await newcomer.until(mayEnterAll(node, applicant, asked))
  newcomer.isAsked = false
  return allowed ?? NONE
}

/**
 * Sums up which rooms the session enters. A room that the app took the user out of meanwhile is not among them.
 *
 * @throws CometError ROOM_REFUSED, TOO_MANY_ROOMS when the client may enter none of the rooms that it asked for
 */
export function grant(node: Node, watch: Watch, { identity, rids, allowed }: Answers): GrantedRooms {
  if (rids.size === 0 && identity.rooms.length === 0) return NO_ROOMS
  const isOpen = (rid: string) => !watch.saw(expulsionKey(rid))
  const rooms = identity.rooms.filter(isOpen)
  const url = allowed.filter(isOpen)
  const asked = Array.from(rids)
  const refused = asked.filter((rid) => !url.includes(rid) && !rooms.includes(rid))
  if (refused.length > 0 && refused.length === asked.length) {
    if (identity.rooms.length >= node.options.maxRoomsPerSession) throw new CometError('TOO_MANY_ROOMS')
    throw refusal(node, refused)
  }
  return { identity: rooms, url, refused }
}
