export { NatsBroker, type NatsBrokerOptions } from './broker.ts'
export type { NatsSource } from './link.ts'
export {
  decodeEvent,
  decodeMessage,
  decodeUserActivityEvent,
  type EventFields,
  encodeEvent,
  encodeMessage,
  encodeUserActivityEvent,
} from './protobuf.ts'
export type { StreamOptions } from './stream-store.ts'
