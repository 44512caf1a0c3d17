import type { ListenerOptions } from './emitter.ts'
import type { CometMessage, Origin } from './message.ts'

/** The events of an app that has no map of its own: any name, with any data. A client with a map is assignable to one without. */
// biome-ignore lint/suspicious/noExplicitAny: with unknown, a map that is an interface would not be assignable.
export type EventMap = any

/** The names of an event map. */
export type EventName<Events> = keyof Events & string

/** A handler for the events of a name. */
export type MessageHandler<Events, Name extends EventName<Events>> = (
  message: CometMessage<Events[Name], Name>,
) => void

/** Any message of an event map. */
export type AnyMessage<Events> = string extends keyof Events
  ? CometMessage
  : { [Name in EventName<Events>]: CometMessage<Events[Name], Name> }[EventName<Events>]

/** What events and texts can be heard of: a client, or a room. Each method returns the function that ends the handler. */
export interface Source<Events> {
  /** Adds a handler for the events of a name: named events, and Messages in `evt` with that `event`. */
  on<Name extends EventName<Events>>(
    event: Name,
    handler: MessageHandler<Events, Name>,
    options?: ListenerOptions,
  ): () => void
  /** Adds a handler for texts: what came without a name and is no Message. */
  onText(handler: (text: string, origin: Origin) => void, options?: ListenerOptions): () => void
}
