export { Comet, type Occupant, type UplinkRequest } from './comet.ts'
export { CometError, type CometErrorCode } from './errors.ts'
export type { ClientMessage, HookListener, HookMap, RoomActivityEvent } from './hooks/hooks.ts'
export type { Uid } from './ids.ts'
export { MemoryBroker } from './memory/broker.ts'
export type { CometDump, CometStats } from './node/stats.ts'
export type { DisconnectOptions, SessionTarget } from './operations/cluster-commands.ts'
export type { ConnectRequest } from './operations/connect.ts'
export type {
  EventMap,
  MessageInput,
  Publication,
  PublishOptions,
  PublishTarget,
} from './operations/publish.ts'
export type { CometOptions, EnterRequest } from './options.ts'
export type { Broker, BrokerLink, BrokerNode, Delivery, Envelope } from './ports/broker.ts'
export type { Command, Controller, ControllerLink, ControllerNode } from './ports/controller.ts'
export type {
  Admission,
  GraceTarget,
  Hold,
  Member,
  Presence,
  PresenceLink,
  PresenceNode,
  PresenceSession,
  SessionHold,
} from './ports/presence.ts'
export type { Transport, TransportListener } from './ports/transport.ts'
export type { Batch } from './ports/write-batch.ts'
export type { CometCloseCode } from './protocol/close-codes.ts'
export {
  type Event,
  type Event as CometEvent,
  parseEvent,
  stringifyEvent,
  type Target,
} from './protocol/event.ts'
export { type Message, parseMessage, stringifyMessage } from './protocol/message.ts'
export {
  parseUserActivityEvent,
  stringifyUserActivityEvent,
  UserActivityEvent,
} from './protocol/user-activity-event.ts'
export type { Identified, Identity } from './session/identity.ts'
export type { SessionInfo } from './session/session.ts'
