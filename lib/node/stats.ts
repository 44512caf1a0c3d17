import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { SessionInfo } from '../session/session.ts'
import type { Hub } from './node.ts'

/** What is on this node now, in full. */
export interface CometDump {
  readonly sessions: SessionInfo[]
  /** The rooms with the sessions that get what is published to them. */
  readonly rooms: { readonly rid: string; readonly sids: string[] }[]
}

/** This node in numbers. */
export interface CometStats {
  /** The node's random id. */
  readonly node: string
  /** Sessions, users and rooms on this node now; nothing in grace is among them. */
  readonly sessions: number
  readonly users: number
  readonly rooms: number
  /** Since the start: sessions that were admitted, packets that were handled, events published here, and frames owed to sessions. */
  readonly connections: number
  readonly packets: number
  readonly published: number
  readonly delivered: number
  /** Since the start: how many sessions ended for each reason. */
  readonly closes: Partial<Record<CometCloseCode, number>>
  /** What is kept for clients that come back. */
  readonly backlog: { readonly events: number; readonly targets: number; readonly bytes: number }
}

export function dump({ registry }: Hub): CometDump {
  return {
    sessions: Array.from(registry.all(), (session) => session.toInfo()),
    rooms: Array.from(registry.rooms(), ([rid, sessions]) => ({
      rid,
      sids: Array.from(sessions, ({ sid }) => sid),
    })),
  }
}

export function stats({ id, registry, counters, closes, backlog }: Hub): CometStats {
  const { sessionCount, userCount, roomCount } = registry
  return {
    node: id,
    sessions: sessionCount,
    users: userCount,
    rooms: roomCount,
    ...counters,
    closes: { ...closes },
    backlog: backlog.size,
  }
}
