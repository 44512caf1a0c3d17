/**
 * The client of Comet for browsers, workers and Node.js: `comet-sse/client`. To import it touches no global.
 */
export { CometClient } from './client.ts'
export type { ClientState, GapTarget, ReadyInfo, StateChange } from './core.ts'
export type { ListenerOptions } from './emitter.ts'
export { CometClientError, type CometClientErrorCode } from './errors.ts'
export type { CometMessage, Origin } from './message.ts'
export type {
  CometClientOptions,
  FetchFunction,
  HeadersOption,
  HeadersReason,
  HeadersRequest,
  QueryOption,
} from './options.ts'
export type { CometRoom, RoomOptions, RoomState, RoomStateChange } from './room.ts'
export type { SendOptions } from './sender.ts'
export type { AnyMessage, EventMap, EventName, MessageHandler, Source } from './types.ts'
