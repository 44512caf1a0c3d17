import { type ConnectionOptions, createInbox, type NatsConnection } from '@nats-io/transport-node'

/** Makes a subject that is nobody else's, with the prefix that the connection may be limited to. */
export function inboxOf(nats: NatsConnection): string {
  const { options } = nats as NatsConnection & { readonly options?: ConnectionOptions }
  return createInbox(options?.inboxPrefix)
}
