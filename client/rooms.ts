import type { Core, Packet, Rooms } from './core.ts'
import { CometClientError } from './errors.ts'
import { messageOf, originOf } from './message.ts'
import { createRoom, type RoomEntry, type RoomOptions } from './room.ts'

/**
 * The most characters of the rooms in a URL. With what else is in it, it stays below 4 KiB: servers and proxies refuse
 * longer ones.
 */
const MOST_CHARACTERS = 3_584

/** After so many milliseconds without an answer a JOIN or LEAVE is sent again. */
const PATIENCE = 10_000

/**
 * The longest time that a block may be on its way, in milliseconds: what comes later than this after the answer to a
 * packet was sent after the answer.
 */
const ON_ITS_WAY = 1_000

/** Makes the rooms of a client. */
export function createRooms(core: Core): Rooms & {
  /** Enters a room. @throws CometClientError INVALID_OPTION */
  enter(rid: string, options: RoomOptions): RoomEntry
} {
  const { position } = core
  const all = new Map<string, RoomEntry>()
  /** The rooms in the URL of the latest request for a stream. */
  let asked: readonly RoomEntry[] = []
  /** The rooms whose missed events are asked for by a JOIN that is not answered yet, and when the last answer came. */
  const catchingUp = new Set<RoomEntry>()
  let answeredAt = 0

  const find = (rid: string): RoomEntry => {
    const entry = all.get(rid) ?? createRoom(rid, settle)
    all.set(rid, entry)
    return entry
  }

  /** Sends what the server must know of a room, after the packets that wait. */
  const settle = (entry: RoomEntry) => {
    if (core.connection.session) for (const packet of packetsFor(entry)) core.uplink.add(packet)
  }

  const refuse = (entry: RoomEntry, error: CometClientError) => {
    entry.wanted = false
    entry.setState('refused', error)
  }

  /** @returns the packet that a room needs, unless one waits already */
  const packetsFor = (entry: RoomEntry): Packet[] => {
    if (entry.queued || !contentFor(entry)) return []
    entry.queued = true
    let isJoin = false
    const packet: Packet = {
      patience: PATIENCE,
      make() {
        // What the app wants now counts.
        const content = contentFor(entry)
        entry.queued = content !== undefined
        isJoin = content?.type === 'JOIN'
        if (isJoin) entry.inside = undefined
        return content
      },
      onDone() {
        entry.queued = false
        if (isJoin) {
          entry.inside = entry.known = true
          if (entry.wanted) entry.setState('entered')
        } else {
          entry.leftAt = Date.now()
          entry.markOutside()
        }
        if (catchingUp.delete(entry)) answeredAt = Date.now()
        settle(entry)
      },
      onFailed(error) {
        entry.queued = false
        // Without a status the client has given it up, and will know more with the next session.
        if (!error.status) return
        catchingUp.delete(entry)
        entry.markOutside(isJoin ? undefined : error)
        if (isJoin && entry.wanted) refuse(entry, error)
      },
    }
    return [packet]
  }

  return {
    enter(rid, { recent }) {
      checkRid(rid)
      const entry = find(rid)
      entry.recent = recent ?? entry.recent
      if (entry.wanted) return entry
      entry.wanted = true
      entry.endLeaving()
      entry.setState(entry.inside && !entry.queued ? 'entered' : 'entering')
      settle(entry)
      return entry
    },
    parameters(from) {
      const wanted = [...all.values()].filter((entry) => entry.wanted && (entry.known || !from))
      const recent = from ? 0 : (wanted[0]?.recent ?? 0)
      let length = 0
      asked = wanted.filter((entry) => {
        if (!from && entry.recent !== recent) return false
        length += encodeURIComponent(entry.rid).length + '&rid='.length
        return length <= MOST_CHARACTERS
      })
      const parameters = asked.map(({ rid }) => ['rid', rid] as const)
      return recent > 0 ? [...parameters, ['recent', `${recent}`]] : parameters
    },
    onSession({ rooms, refused }, from) {
      catchingUp.clear()
      position.release()
      for (const rid of rooms) find(rid)
      for (const entry of all.values()) {
        const { rid, wanted } = entry
        entry.since = undefined
        if (rooms.includes(rid)) {
          entry.inside = true
          entry.known ||= wanted
          // It may have been left while the request was on its way.
          if (!entry.leaving) entry.setState('entered')
          continue
        }
        entry.markOutside()
        if (!wanted) {
          if (entry.room.state === 'entered') entry.setState('left')
        } else if (refused.includes(rid)) {
          refuse(entry, new CometClientError('ROOM_REFUSED', `Room ${rid} may not be entered.`))
        } else if (entry.known && from) {
          // It was not in the URL. Cut before its missed events came, the client must come back to where it was.
          entry.since = from
          catchingUp.add(entry)
          position.hold(from)
        }
      }
      core.uplink.addFirst([...all.values()].flatMap(packetsFor))
    },
    onRefused(error) {
      for (const entry of asked) refuse(entry, error)
      return asked.length > 0
    },
    onProgress() {
      if (catchingUp.size === 0 && Date.now() - answeredAt > ON_ITS_WAY) position.release()
    },
    deliver(block) {
      const entry = block.rid === undefined ? undefined : find(block.rid)
      const isLeft = entry?.room.state === 'left'
      // It may have been sent before the server knew that the client has left.
      const isLate = isLeft && (entry.leaving || Date.now() - entry.leftAt < ON_ITS_WAY)
      if (entry && !isLate && (isLeft || entry.room.state === 'refused')) {
        // The server has put the client into it.
        entry.inside = true
        entry.setState('entered')
      }
      const message = messageOf(block)
      for (const { events, all: any } of entry && !isLate ? [core, entry] : [core]) {
        if (message) {
          events.emit(message.event, message)
          any.emit('message', message)
        } else any.emit('text', block.data, originOf(block))
      }
    },
    reset() {
      for (const entry of all.values()) {
        entry.wanted = entry.known = false
        entry.markOutside()
        entry.setState('left')
      }
      return asked.length > 0
    },
    close(error) {
      for (const entry of all.values()) entry.close(error)
    },
  }
}

/** Makes the packet that a room needs. Undefined: the server knows all. */
function contentFor({ rid, wanted, inside, leaving, known, recent, since }: RoomEntry) {
  if (leaving) return { type: 'LEAVE', leave: { rid } }
  if (!wanted || inside) return undefined
  return { type: 'JOIN', join: { rid, since, recent: known ? 0 : recent } }
}

/** Refuses what would make the server refuse the whole stream. */
function checkRid(rid: unknown): void {
  try {
    // It throws for a lone surrogate.
    if (typeof rid === 'string' && /^[^\0\r\n]+$/.test(rid) && encodeURIComponent(rid)) return
  } catch {}
  throw new CometClientError('INVALID_OPTION', `${JSON.stringify(rid)} cannot be a room.`)
}
