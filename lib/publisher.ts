import { asAppError, CometError, callOfApp } from './errors.ts'
import { type HookListener, type HookMap, Hooks } from './hooks/hooks.ts'
import { newNodeId } from './ids.ts'
import type { EventRun } from './node/node.ts'
import { PortStates } from './node/port-states.ts'
import type { DisconnectOptions, SessionTarget } from './operations/cluster-commands.ts'
import { checkDisconnectOptions } from './operations/disconnect.ts'
import { toEnvelope } from './operations/envelope.ts'
import type {
  EventMap,
  EventName,
  Publication,
  PublishOptions,
  PublishTarget,
} from './operations/publication.ts'
import { type PublishContext, publish } from './operations/publish.ts'
import { isEndedByApp, type PublishAllOptions, publishAll } from './operations/publish-all.ts'
import { type CometOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import type { Broker, BrokerConnection } from './ports/broker.ts'
import type { ControllerConnection } from './ports/controller.ts'
import { atMost } from './util/at-most.ts'
import { checkOptions } from './util/known-keys.ts'
import { checkTarget, type Rid, type Uid } from './util/validate.ts'

/** Options of a Publisher. They are as those of a Comet. */
export interface PublisherOptions
  extends Pick<
    CometOptions,
    'presence' | 'controller' | 'namespace' | 'server' | 'maxEventBytes' | 'maxTargets' | 'maxIdBytes'
  > {
  /** The broker that the Comets share. */
  readonly broker: Broker
}

const NAMES = [
  ...(['broker', 'presence', 'controller', 'namespace', 'server'] as const),
  ...(['maxEventBytes', 'maxTargets', 'maxIdBytes'] as const),
]

/**
 * Publishes from a process that has no clients, such as a worker or a cron job, to the Comets that share its broker.
 *
 * @example
 * const publisher = new Publisher(redisCluster(client))
 * await publisher.publish({ uid: 'alice', event: 'report', data: { id: 7 } })
 * await publisher.close()
 */
export class Publisher<Events = EventMap> {
  /** Settles when the broker was reached. It may be ignored. What is published before waits. */
  readonly ready: Promise<void>
  readonly #context: PublisherContext

  /** @throws CometError INVALID_OPTION, which names the option and what it may be */
  constructor(options: PublisherOptions) {
    checkOptions('The options of Publisher', options, NAMES)
    if (options?.broker === undefined) {
      throw new CometError('INVALID_OPTION', 'A Publisher needs the option broker, which the Comets share.')
    }
    this.#context = new PublisherContext(resolveOptions(options))
    this.ready = this.#context.broker.ready
    this.ready.catch((error) => this.#context.hooks.report(error))
  }

  /** Publishes an event, as `comet.publish` does. @returns settles when the broker took it */
  publish<Name extends EventName<Events>>(
    event: Publication<Events, Name>,
    options: PublishOptions = {},
  ): Promise<void> {
    const context = this.#context
    const published = publish(context, () => toEnvelope(event, options, context.options))
    published.catch(context.ports.reportRejectedPublish)
    return published
  }

  /** Publishes each item of an async iterable, as `comet.publishAll` does. */
  publishAll<Name extends EventName<Events>>(
    target: PublishTarget,
    items: AsyncIterable<Events[Name]> | Iterable<Events[Name]>,
    options: PublishAllOptions<Name>,
  ): Promise<number> {
    const published = publishAll(this.#context, target, items, options)
    published.catch((error) => {
      if (!isEndedByApp(error)) this.#context.ports.reportRejectedPublish(error)
    })
    return published
  }

  /**
   * Disconnects a user, a session, or everybody in a room, as `comet.disconnect` does, after what was published before.
   *
   * @returns settles when all nodes will do it; a Publisher cannot tell how many streams that ends
   * @throws CometError INVALID_ID, INVALID_OPTION, UNAVAILABLE
   */
  async disconnect(
    target: { readonly uid: Uid } | { readonly sid: string } | { readonly rid: Rid },
    options: DisconnectOptions = {},
  ): Promise<void> {
    const { maxIdBytes } = this.#context.options
    const request = {
      target: callOfApp(() =>
        checkTarget('The target', target, ['uid', 'sid', 'rid'], maxIdBytes),
      ) as SessionTarget,
      options: callOfApp(() => checkDisconnectOptions(options)),
    }
    try {
      await this.#context.controller.tell({ type: 'disconnect', request })
    } catch (error) {
      throw asAppError(error)
    }
  }

  /** Adds a hook: `'error'` or `'status'`, as those of a Comet. @throws CometError INVALID_OPTION */
  on<Name extends 'error' | 'status'>(name: Name, listener: HookListener<Name>): this {
    callOfApp(() => this.#context.hooks.on(checkHook(name), listener))
    return this
  }

  /** Removes a hook. @throws CometError INVALID_OPTION */
  off<Name extends 'error' | 'status'>(name: Name, listener: HookListener<Name>): this {
    callOfApp(() => this.#context.hooks.off(checkHook(name), listener))
    return this
  }

  /**
   * Ends the calls of `publishAll`, waits for what is being published, `commandTimeout` at most, and leaves the broker: what
   * it has not taken by then is rejected. Idempotent.
   */
  close(): Promise<void> {
    return this.#context.close()
  }
}

class PublisherContext implements PublishContext {
  readonly id = newNodeId()
  readonly options: ResolvedOptions & { readonly server: string }
  readonly hooks = new Hooks()
  readonly ports = new PortStates(this.hooks)
  readonly broker: BrokerConnection
  readonly controller: ControllerConnection
  readonly counters = { published: 0 }
  readonly runs = new Set<EventRun>()
  closing = false
  closed = false
  #closed: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    const { id } = this
    const { namespace } = options
    this.options = { ...options, server: options.server ?? `${namespace}.${id}` }
    const node = { id, namespace, receives: false }
    const neverCalled = () => {}
    this.broker = options.broker.join({
      ...node,
      server: this.options.server,
      history: { age: 0, bytes: 0 },
      begin: neverCalled,
      restore: neverCalled,
      deliver: neverCalled,
      secret: () => secretOf(options),
      onError: (error) => this.hooks.report(error),
      onStatus: (status) => this.ports.set('broker', status),
    })
    this.controller = options.controller.join({
      ...node,
      handle: () => Promise.reject(new CometError('INTERNAL', 'A Publisher takes no commands.')),
      onStatus: (status) => this.ports.set('controller', status),
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.closing = true
    for (const run of this.runs) run.fail(new CometError('SHUTTING_DOWN'))
    await Promise.all(Array.from(this.runs, ({ ended }) => ended))
    // A broker that is away must not hold up the end of a process.
    await atMost(this.options.commandTimeout, this.broker.published())
    this.closed = true
    await this.controller.close()
    await this.broker.close()
  }
}

async function secretOf({ presence, namespace }: ResolvedOptions): Promise<string> {
  if (presence.secret !== undefined) return await presence.secret(namespace)
  const message = 'This presence tells a Publisher no secret: give the broker one, as the Comets have it.'
  throw new CometError('INVALID_OPTION', message)
}

/** A Publisher has no sessions, so the other hooks would never be called. */
function checkHook<Name extends keyof HookMap>(name: Name): Name {
  if (name === 'error' || name === 'status') return name
  throw new CometError(
    'INVALID_OPTION',
    `A Publisher has the hooks error and status, not ${JSON.stringify(name)}.`,
  )
}
