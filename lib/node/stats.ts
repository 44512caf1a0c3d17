import type { SessionInfo } from '../hooks/session-info.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { Node } from './node.ts'
import type { PortsInfo } from './port-states.ts'

/** Everything on this node, as `comet.dump()` answers it. */
export interface CometDump {
  /** The node's random id. */
  readonly node: string
  /** Every connected session. Those in grace are not among them. */
  readonly sessions: SessionInfo[]
  /** The rooms, each with the sessions that get what is published to it. */
  readonly rooms: { readonly rid: string; readonly sids: string[] }[]
}

/** This node in numbers, as `comet.stats()` answers it. */
export interface CometStats {
  /** The node's random id. */
  readonly node: string
  /** Sessions that are connected now. Those in grace do not count. */
  readonly sessions: number
  /** Users with a connected session now. */
  readonly users: number
  /** Rooms with a connected session now. */
  readonly rooms: number
  /** Sessions that were admitted since the start. */
  readonly connections: number
  /** Packets that were handled since the start. */
  readonly packets: number
  /** Events that were published on this node since the start. */
  readonly published: number
  /** Frames that were handed to sessions since the start: one event to ten sessions counts ten. */
  readonly delivered: number
  /** Sessions that ended since the start, by close code. A code that never occurred is absent. */
  readonly closes: Partial<Record<CometCloseCode, number>>
  /** What the history stores now, in events, targets and bytes. */
  readonly history: { readonly events: number; readonly targets: number; readonly bytes: number }
  /** Whether the broker, the presence and the controller can be reached, and since when all are as they are. */
  readonly ports: PortsInfo
}

/** Lists the sessions and rooms of a node. */
export function dump({ id, registry }: Node): CometDump {
  return {
    node: id,
    sessions: Array.from(registry.all(), (session) => registry.infoOf(session)),
    rooms: Array.from(registry.rooms(), ([rid, sessions]) => ({
      rid,
      sids: Array.from(sessions, ({ sid }) => sid),
    })),
  }
}

/** Counts what is on a node, and what happened since its start. */
export function stats({ id, registry, counters, closes, history, ports }: Node): CometStats {
  const { sessionCount, userCount, roomCount } = registry
  return {
    node: id,
    sessions: sessionCount,
    users: userCount,
    rooms: roomCount,
    ...counters,
    closes: { ...closes },
    history: history.size,
    ports: ports.info,
  }
}
