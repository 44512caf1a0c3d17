import { debug } from '../diagnostics.ts'
import type { HistoryEntry } from '../history/history-entry.ts'
import type { Node } from '../node/node.ts'
import { isExcepted } from '../node/router.ts'
import type { Packet } from '../protocol/packet.ts'
import type { Session } from '../session/session.ts'
import { controlItem, type ReplayItem } from '../stream/replay.ts'
import { encodeBlock, encodeGap } from '../stream/sse.ts'

/** A packet that asks for a room. */
export type JoinPacket = Packet & { readonly type: 'JOIN' }

/** Collects the past of a room that a JOIN asks for: since a position, or its last events. */
export function pastOfRoom(node: Node, session: Session, { rid, since, recent }: JoinPacket): ReplayItem[] {
  if (since === '') return recentItemsOf(node, session, [rid], recent)
  const { events, gaps } = node.history.since(since, [{ rid }])
  const items = pastItems(session, events)
  if (gaps.length === 0) return items
  debug('session %s has a gap: %j', session.sid, gaps)
  return [controlItem(encodeGap(gaps), { rid }), ...items]
}

/** Collects the last events of rooms, at most `limit` of each, for a session that enters them anew. */
export function recentItemsOf(
  node: Node,
  session: Session,
  rids: Iterable<string>,
  limit: number,
): ReplayItem[] {
  if (limit <= 0) return []
  const events = Array.from(rids, (rid) => node.history.recent({ rid }, limit)).flat()
  return pastItems(
    session,
    events.sort((a, b) => a.ordinal - b.ordinal),
  )
}

/** Makes replay items of past events. Their blocks have no `id:`, which would move the client's position back. */
export function pastItems(session: Session, events: readonly HistoryEntry[]): ReplayItem[] {
  return events.filter(({ except }) => !isExcepted(session, except)).map((event) => new PastItem(event))
}

class PastItem implements ReplayItem {
  readonly ordinal = 0
  readonly ownBytes = 0
  readonly #event: HistoryEntry

  constructor(event: HistoryEntry) {
    this.#event = event
  }

  get target(): ReplayItem['target'] {
    return this.#event.target
  }

  get frame(): Buffer | undefined {
    return this.#event.isEvicted ? undefined : encodeBlock({ data: this.#event.evt })
  }
}
