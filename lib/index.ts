export { Comet, type Occupant, type PacketRequest } from './comet.ts'
export type { CometErrorCode } from './error-table.ts'
export { CometError } from './errors.ts'
export type { StoredEvent } from './history/history-entry.ts'
export type {
  ClientMessage,
  HookListener,
  HookMap,
  RoomActivityEvent,
  SessionEnd,
  SessionStart,
  StatusChange,
} from './hooks/hooks.ts'
export type { SessionInfo } from './hooks/session-info.ts'
export { MemoryBroker } from './memory/broker.ts'
export type { PortName, PortsInfo } from './node/port-states.ts'
export type { CometDump, CometStats } from './node/stats.ts'
export type { DisconnectOptions, SessionTarget } from './operations/cluster-commands.ts'
export type { ConnectRequest } from './operations/connect.ts'
export type {
  BareEvent,
  EventMap,
  EventName,
  MessageInput,
  NamedEvent,
  OpaqueEvent,
  Publication,
  PublishOptions,
  PublishTarget,
  SingleTarget,
} from './operations/publication.ts'
export type { PublishAllOptions } from './operations/publish-all.ts'
export type { CometOptions, EnterRequest, HistoryLimits, HistoryTarget } from './options.ts'
export type {
  Broker,
  BrokerConnection,
  BrokerHandler,
  Delivery,
  Envelope,
  Except,
  Receivers,
} from './ports/broker.ts'
export type { Command, Controller, ControllerConnection, ControllerHandler } from './ports/controller.ts'
export type {
  Admission,
  GraceTarget,
  GrantedBy,
  LocatedSession,
  Member,
  MemberPage,
  Members,
  MembershipAnswer,
  MembershipOwner,
  Presence,
  PresenceConnection,
  PresenceHandler,
  PresenceSession,
  PreviousConnection,
  RestorableSession,
  RoomChange,
  SessionConnection,
  SessionMembership,
} from './ports/presence.ts'
export type { PortStatus, StatusHandler } from './ports/status.ts'
export type { Transport, TransportListener } from './ports/transport.ts'
export type { WriteBatch } from './ports/write-batch.ts'
export type { CometCloseCode } from './protocol/close-codes.ts'
export type { StreamEnd } from './protocol/control-events.ts'
export { type Event, type Event as CometEvent, parseEvent, stringifyEvent } from './protocol/event.ts'
export { type Message, parseMessage, stringifyMessage } from './protocol/message.ts'
export type { Target } from './protocol/target.ts'
export {
  parseUserActivityEvent,
  stringifyUserActivityEvent,
  UserActivityEvent,
} from './protocol/user-activity-event.ts'
export { Publisher, type PublisherOptions } from './publisher.ts'
export type { AnonymousIdentity, Identified, Identity } from './session/identity.ts'
export type { Rid, Uid } from './util/validate.ts'
