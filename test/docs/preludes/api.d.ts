import type { Broker, Comet } from 'comet-sse'

export const comet: Comet
export const broker: Broker
export const sid: string
export const data: unknown
/** A stream of a language model. */
export const tokens: AsyncIterable<string>
export const run: string
/** The map of the events of an app. */
export interface Events {
  chat: { text: string }
}
export const source: EventSource
