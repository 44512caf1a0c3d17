export type { Batch } from './batch.ts'
export type { Broker, BrokerLink, BrokerNode, Delivery, Envelope } from './broker.ts'
export type { CometCloseCode } from './codes.ts'
export { Comet, type Occupant, type UplinkRequest } from './comet.ts'
export type { DisconnectOptions, SessionTarget } from './commands.ts'
export type { ConnectRequest } from './connect.ts'
export type { Command, Controller, ControllerLink, ControllerNode } from './controller.ts'
export { CometError, type CometErrorCode } from './errors.ts'
export type { ClientMessage, HookListener, HookMap, RoomActivityEvent } from './hooks.ts'
export type { Identified, Identity } from './identity.ts'
export type { Uid } from './ids.ts'
export type { CometDump, CometStats } from './inspect.ts'
export { MemoryBroker } from './memory/broker.ts'
export type { CometOptions, EnterRequest } from './options.ts'
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
} from './presence.ts'
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
export type { EventMap, MessageInput, Publication, PublishOptions, PublishTarget } from './publication.ts'
export type { SessionInfo } from './session.ts'
export type { Transport, TransportListener } from './transport.ts'
