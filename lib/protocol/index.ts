/**
 * What pages and servers tell each other: `comet-sse/protocol`. It runs in browsers, too: nothing in it is of Node.js.
 */
export type { CometErrorCode } from '../error-table.ts'
export { CometError } from '../errors.ts'
export type { CometCloseCode } from './close-codes.ts'
export {
  type CloseEvent,
  type ControlEvents,
  type GapEvent,
  type HeartbeatEvent,
  parseControlEvent,
  type ReadyEvent,
  type StreamEnd,
} from './control-events.ts'
export { type Event, type Event as CometEvent, parseEvent, stringifyEvent } from './event.ts'
export { type Message, parseMessage, stringifyMessage } from './message.ts'
export type { ClientPacket, ErrorAnswer } from './packet.ts'
export {
  parseUserActivityEvent,
  stringifyUserActivityEvent,
  UserActivityEvent,
} from './user-activity-event.ts'
