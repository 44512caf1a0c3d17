import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { CometError } from '../../lib/errors.ts'
import { nanosecondsOf, type StreamPlace } from './stream-position.ts'
import { type Subjects, streamOf } from './subjects.ts'

const NS_PER_MS = 1_000_000

/** How long JetStream has to answer, in milliseconds. */
const ANSWER_MS = 5_000

/** How long JetStream knows the id of an event that was published, in milliseconds. */
const DUPLICATES_MS = 120_000

/** How many bytes an event may take in the stream for each that it takes in the history: JSON, base64 and headers. */
const BYTES_FACTOR = 2

/** The least and the most time that JetStream can be told to keep events, in milliseconds. The most is 285 years. */
const [LEAST_AGE_MS, MOST_AGE_MS] = [100, 9_000_000_000_000]

/** How often JetStream says that it is there, in milliseconds. */
export const HEARTBEAT_MS = 2_000

/** How long JetStream keeps the consumer of a node that is gone, in milliseconds. */
const ABANDONED_MS = 30_000

/** Tells that the stream was made here, so that its limits may be raised. */
const DESCRIPTION = 'Events of Comet'

/** The codes of JetStream's errors. */
const NO_STREAM = 10_059
const NAME_IN_USE = 10_058

/** Options of the stream, when it does not exist and is made. */
export interface StreamOptions {
  /**
   * Where JetStream keeps events. `'memory'` loses them when the server ends, which clients are told as a gap.
   *
   * @default 'file'
   */
  readonly storage?: 'file' | 'memory'
  /**
   * How many servers of a NATS cluster keep the events: 1, 3 or 5.
   *
   * @default 1
   */
  readonly replicas?: number
  /**
   * The name of the stream. One that exists must have the subjects `<namespace>.service.comet` and
   * `<namespace>.comet.session`; it is used as it is.
   *
   * @default `comet-<namespace>`, with other characters than letters, digits and `-` escaped
   */
  readonly stream?: string
}

/** What a {@link StreamStore} is made with. */
export interface StoreSettings extends StreamOptions {
  readonly namespace: string
  readonly subjects: Subjects
  /** False for a process that only publishes: it waits until a node has made the stream. */
  readonly mayCreate: boolean
  readonly history: { readonly age: number; readonly bytes: number }
}

/** What is in a stream. */
export interface StreamState {
  /** The last event that was put into it, also when it is there no more. */
  readonly last: StreamPlace
  /** Where it was before its first event. */
  readonly start: StreamPlace
}

/** Where a consumer begins. */
export type ConsumerStart = { readonly sequence: number } | { readonly age: number }

/** The stream of JetStream with the events of a namespace, and what is asked about it. */
export class StreamStore {
  readonly name: string
  readonly #settings: StoreSettings
  #manager: JetStreamManager | undefined
  #startTime = ''

  constructor(settings: StoreSettings) {
    this.#settings = settings
    this.name = settings.stream ?? streamOf(settings.namespace)
  }

  /** Uses a connection, and makes the stream if it does not exist. Rejects when JetStream is not there. */
  async open(nats: NatsConnection): Promise<StreamState> {
    const { jetstreamManager } = await import('@nats-io/jetstream')
    this.#manager = await explained(jetstreamManager(nats, { timeout: ANSWER_MS }))
    const { state, created, config } = await this.#infoOrCreate(this.#manager)
    this.#checkSubjects(config.subjects ?? [])
    const start = { sequence: 0, time: nanosecondsOf(created) }
    this.#startTime = start.time
    if (state.last_seq === 0) return { last: start, start }
    return { last: { sequence: state.last_seq, time: nanosecondsOf(String(state.last_ts)) }, start }
  }

  /** When the stream was made, as in {@link StreamPlace}. */
  get startTime(): string {
    return this.#startTime
  }

  /** The sequence of the last event. */
  async lastSequence(): Promise<number> {
    const info = await this.#manager?.streams.info(this.name)
    return info?.state.last_seq ?? 0
  }

  /** The time of an event, as in {@link StreamPlace}. Undefined when it is not there. */
  async timeOf(sequence: number): Promise<string | undefined> {
    const message = await this.#manager?.streams.getMessage(this.name, { seq: sequence })
    return message ? nanosecondsOf(message.timestamp) : undefined
  }

  /** Lets events come to a subject. @returns how many there are now */
  async consume(subject: string, start: ConsumerStart): Promise<number> {
    const manager = this.#manager
    if (manager === undefined) throw new Error('JetStream was not reached.')
    const { AckPolicy, DeliverPolicy } = await import('@nats-io/jetstream')
    const from =
      'sequence' in start
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.sequence }
        : {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: new Date(Math.max(0, Date.now() - start.age)).toISOString(),
          }
    const { num_pending } = await manager.consumers.add(this.name, {
      ...from,
      ack_policy: AckPolicy.None,
      deliver_subject: subject,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
      inactive_threshold: ABANDONED_MS * NS_PER_MS,
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
    })
    return num_pending
  }

  async #infoOrCreate(manager: JetStreamManager): Promise<StreamInfo> {
    const { streams } = manager
    try {
      return await this.#raised(manager, await streams.info(this.name))
    } catch (error) {
      if (codeOf(error) !== NO_STREAM) throw error
    }
    if (!this.#settings.mayCreate) throw new Error(`No Comet has made the stream ${this.name} yet.`)
    try {
      return await streams.add(await this.#config())
    } catch (error) {
      // Another node was faster, with other options.
      if (codeOf(error) === NAME_IN_USE) return await this.#raised(manager, await streams.info(this.name))
      throw error
    }
  }

  /** Raises the limits of a stream that a node with a shorter history has made. */
  async #raised(manager: JetStreamManager, info: StreamInfo): Promise<StreamInfo> {
    const { config } = info
    if (config.description !== DESCRIPTION || !this.#settings.mayCreate) return info
    const { max_age, max_bytes } = await this.#config()
    if (config.max_age >= max_age && config.max_bytes >= max_bytes) return info
    const raised = {
      max_age: Math.max(config.max_age, max_age),
      max_bytes: Math.max(config.max_bytes, max_bytes),
    }
    return await manager.streams.update(this.name, { ...config, ...raised })
  }

  async #config(): Promise<Partial<StreamConfig> & { name: string; max_age: number; max_bytes: number }> {
    const { DiscardPolicy, RetentionPolicy, StorageType } = await import('@nats-io/jetstream')
    const { history, subjects, storage = 'file', replicas = 1 } = this.#settings
    const age = Math.min(Math.max(LEAST_AGE_MS, Math.ceil(history.age)), MOST_AGE_MS)
    return {
      name: this.name,
      description: DESCRIPTION,
      subjects: [subjects.events, subjects.sessions],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      storage: storage === 'file' ? StorageType.File : StorageType.Memory,
      num_replicas: replicas,
      max_age: age * NS_PER_MS,
      max_bytes: Math.max(1_048_576, BYTES_FACTOR * history.bytes),
      duplicate_window: Math.min(age, DUPLICATES_MS) * NS_PER_MS,
    }
  }

  #checkSubjects(patterns: readonly string[]): void {
    const { events, sessions } = this.#settings.subjects
    for (const subject of [events, sessions]) {
      if (patterns.some((pattern) => covers(pattern, subject))) continue
      throw new CometError(
        'INVALID_OPTION',
        `The stream ${this.name} of JetStream does not have the subject ${subject}. Add it, or give option jetstream.stream another name.`,
      )
    }
  }
}

/** Tells whether a subject with wildcards covers another one. */
function covers(pattern: string, subject: string): boolean {
  const [parts, tokens] = [pattern.split('.'), subject.split('.')]
  if (parts.at(-1) === '>') return covers(pattern.slice(0, -2), tokens.slice(0, parts.length - 1).join('.'))
  return parts.length === tokens.length && parts.every((part, at) => part === '*' || part === tokens[at])
}

/** Says what to change where JetStream is off: for the server, or for the account of the connection. */
async function explained<T>(manager: Promise<T>): Promise<T> {
  try {
    return await manager
  } catch (cause) {
    if (!/not enabled/.test((cause as Error).message)) throw cause
    const message =
      'JetStream is off. Start NATS with it (nats-server -js), or leave out option jetstream of NatsBroker.'
    throw new CometError('INVALID_OPTION', message, { cause })
  }
}

/** The code of an error of JetStream. */
function codeOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === 'number' ? code : undefined
}
