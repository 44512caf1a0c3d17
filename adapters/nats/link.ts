import {
  type ConnectionOptions,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  type Status,
} from '@nats-io/transport-node'
import { CometError } from '../../lib/errors.ts'
import { Retry } from '../../lib/util/retry.ts'

/** A node that uses the connection. What it is called with must not throw. */
export interface LinkUser {
  /** There is a connection: the first one, or a new one after {@link onLost}. */
  onConnected(nats: NatsConnection): void
  /** The connection is lost. It comes back by itself, unless the app has closed it. */
  onLost(error: Error): void
  /** NATS has refused to let the user of the connection publish or subscribe. */
  onRefused(subject: string, error: Error): void
}

/**
 * Of a connection that is opened here. One that is half open is noticed after two pings, and a server that was killed
 * while it was dialed may never greet. Times are in milliseconds.
 */
const DEFAULTS = { name: 'comet-sse', timeout: 5_000, pingInterval: 10_000 } as const

/** The options of an app's connection, which the client's class has and its interface does not. */
type WithOptions = NatsConnection & { readonly options?: ConnectionOptions }

/** A connection of the app; or an address, or options of the client, for a connection of the broker's own. */
export type NatsSource = NatsConnection | NodeConnectionOptions | string

/** The connection to NATS that nodes share. */
export class Link {
  readonly #source: NatsConnection | NodeConnectionOptions
  readonly #users = new Set<LinkUser>()
  /** The connection while it can be used. */
  #nats: NatsConnection | undefined
  /** Ends what watches the connection. */
  #stop: (() => Promise<void> | void) | undefined

  /** @throws CometError INVALID_OPTION for a connection that does not fit */
  constructor(source: NatsSource) {
    this.#source =
      typeof source === 'string' && source !== '' ? { servers: source } : (source as NatsConnection)
    checkSource(this.#source)
  }

  /** Adds a user. @returns removes it; idempotent. Settles when nothing is left of a connection that was opened here */
  use(user: LinkUser): () => Promise<void> {
    this.#users.add(user)
    this.#stop ??= this.#start()
    if (this.#nats !== undefined) user.onConnected(this.#nats)
    return async () => {
      if (!this.#users.delete(user) || this.#users.size > 0) return
      const stop = this.#stop
      this.#stop = undefined
      this.#nats = undefined
      await stop?.()
    }
  }

  #start(): () => Promise<void> | void {
    const source = this.#source
    if (isConnection(source)) return this.#watch(source, () => this.#lose(closedByApp()))
    const retry = new Retry()
    let opened: NatsConnection | undefined
    let isStopped = false
    const run = async () => {
      while (!isStopped) {
        try {
          // With waitOnFirstConnect the client would try for ever, and could not be stopped.
          const always = { maxReconnectAttempts: -1, waitOnFirstConnect: false }
          opened = await connect({ ...DEFAULTS, ...source, ...always })
          if (isStopped) break
          retry.reset()
          const stop = this.#watch(opened, () => {})
          const error = await opened.closed()
          stop()
          throw error ?? new Error('The connection to NATS was closed.')
        } catch (error) {
          // There may be new users meanwhile, with a connection of their own.
          if (!isStopped) this.#lose(error as Error)
        }
        await retry.wait()
      }
      await opened?.close()
    }
    const running = run()
    return async () => {
      isStopped = true
      retry.stop()
      await opened?.close()
      await running
    }
  }

  /** Watches a connection that is, or was just, connected. @returns ends it */
  #watch(nats: NatsConnection, onClosed: () => void): () => void {
    const statuses = nats.status() as AsyncIterable<Status> & { stop?(): void }
    let isStopped = false
    const watch = async () => {
      if (nats.isClosed()) return onClosed()
      // It may be away already.
      nats.flush().then(
        () => isStopped || this.#connected(nats),
        (error) => isStopped || this.#lose(error),
      )
      for await (const status of statuses) {
        if (isStopped) return
        if (status.type === 'disconnect') this.#lose(new Error('The connection to NATS is lost.'))
        else if (status.type === 'reconnect') this.#connected(nats)
        else if (status.type === 'error') this.#refused(status.error)
      }
      if (!isStopped) onClosed()
    }
    watch().catch(() => {})
    return () => {
      isStopped = true
      statuses.stop?.()
    }
  }

  #connected(nats: NatsConnection): void {
    if (this.#nats === nats) return
    this.#nats = nats
    for (const user of this.#users) user.onConnected(nats)
  }

  #lose(error: Error): void {
    this.#nats = undefined
    for (const user of this.#users) user.onLost(error)
  }

  #refused(error: Error): void {
    const { subject } = error as { readonly subject?: unknown }
    if (typeof subject === 'string') for (const user of this.#users) user.onRefused(subject, error)
  }
}

function isConnection(source: NatsConnection | NodeConnectionOptions): source is NatsConnection {
  return 'subscribe' in source && typeof source.subscribe === 'function'
}

function checkSource(source: NatsConnection | NodeConnectionOptions): void {
  if (typeof source !== 'object' || source === null || 'then' in source || Array.isArray(source)) {
    throw invalid(
      'NatsBroker takes a connection of @nats-io/transport-node, an address such as nats://127.0.0.1:4222, or options of its function connect. A connection must be awaited.',
    )
  }
  for (const name of ['jetstream', 'secret']) {
    if (name in source && !isConnection(source)) {
      throw invalid(`Option ${name} is one of the broker: new NatsBroker(source, { ${name}: … }).`)
    }
  }
  const { options } = source as WithOptions
  if ((isConnection(source) ? options : source)?.noEcho === true) {
    throw invalid(
      'The connection to NATS must not have the option noEcho: a Comet hears its own events, too.',
    )
  }
  if (!isConnection(source) || options === undefined) return
  if (options.reconnect === false || options.maxReconnectAttempts !== -1) {
    throw invalid(
      'This connection to NATS gives up after some tries to reconnect. Open it with maxReconnectAttempts: -1, and without reconnect: false.',
    )
  }
}

function closedByApp(): Error {
  return new Error(
    'The connection to NATS was closed, by the app or because NATS refused it. It will not come back: make a Comet with another one.',
  )
}

function invalid(message: string): CometError {
  return new CometError('INVALID_OPTION', message)
}
