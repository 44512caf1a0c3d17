import cluster from 'node:cluster'
import { CometError } from './errors.ts'
import type { ClientMessage } from './hooks/hooks.ts'
import type { SessionInfo } from './hooks/session-info.ts'
import { MemoryBroker } from './memory/broker.ts'
import type { Broker } from './ports/broker.ts'
import type { Controller } from './ports/controller.ts'
import type { Presence } from './ports/presence.ts'
import { kindOf } from './util/kind-of.ts'
import { checkOptions } from './util/known-keys.ts'
import { checkId } from './util/validate.ts'

/** A question to `canEnter`. */
export interface EnterRequest<Info = unknown> {
  readonly uid: string
  readonly rid: string
  /** The `info` of the identity that came with this request. */
  readonly info?: Info
  readonly session: SessionInfo
}

/** What `keepHistory` is asked about: the events of a user, of a room, or (without a key) to the world. */
export type HistoryTarget =
  | { readonly uid: string; readonly rid?: never }
  | { readonly uid?: never; readonly rid: string }
  | { readonly uid?: never; readonly rid?: never }

/** How much the history stores of one target. */
export interface HistoryLimits {
  /**
   * The most events, at least 1. May be more than `historyEvents`.
   *
   * @default the option `historyEvents`
   */
  readonly events?: number
  /**
   * The time that an event is stored, in milliseconds: at least 1, and at most `historyAge`.
   *
   * @default the option `historyAge`
   */
  readonly age?: number
}

/** Options of a Comet. Times are in milliseconds, sizes in bytes. */
export interface CometOptions<Info = unknown> {
  /**
   * Tells whether a client may enter a room that it asked for by `?rid=` or JOIN. May be async. Only `true` opens the
   * room. A CometError that it throws means no. Any other error goes to `'error'`: a JOIN gets 500 then, a request for
   * a stream the temporary answer.
   *
   * @default undefined: no client may enter any room by itself
   */
  readonly canEnter?: (request: EnterRequest<Info>) => boolean | Promise<boolean>
  /**
   * Handles the message of a SEND. May be async. Its answer goes back to the client as JSON with 200, or undefined with
   * 204. A CometError that it throws gives the status; any other error goes to `'error'`, and the client gets 500.
   *
   * @default undefined: every SEND gets 204
   */
  readonly onMessage?: (message: ClientMessage<Info>) => unknown
  /**
   * Carries events between nodes.
   *
   * @default a MemoryBroker of its own: this Comet is the only node
   */
  readonly broker?: Broker
  /**
   * Knows who is online, over all nodes of the broker.
   *
   * @default the broker's presence
   */
  readonly presence?: Presence
  /**
   * Carries commands between the nodes of the broker.
   *
   * @default the broker's controller
   */
  readonly controller?: Controller
  /**
   * Which activity reaches the hooks: `'local'`, the transitions that this node caused, so that each reaches the hooks of
   * one node; or `'cluster'`, those of all nodes, in one order.
   *
   * @default 'local'
   */
  readonly activity?: 'local' | 'cluster'
  /**
   * Who is told when a user was heard: `'local'`, the hooks of the node that heard it; or `'record'`, those and the nodes
   * with `activity: 'cluster'`, at most once a second for a user.
   *
   * @default 'local'
   */
  readonly heard?: 'local' | 'record'
  /**
   * The namespace. Comets on one broker reach each other when they have the same; 1 to 256 bytes.
   *
   * @default 'comet'
   */
  readonly namespace?: string
  /**
   * The `server` of messages that are published here; 1 to 256 bytes.
   *
   * @default the namespace and the random id of this node
   */
  readonly server?: string
  /**
   * The time that a user whose connection dropped still counts as present, in milliseconds. 0 turns grace off.
   *
   * @default 5_000
   */
  readonly offlineGrace?: number
  /**
   * The time between two heartbeats of a stream, in milliseconds. 0 turns heartbeats off.
   *
   * @default 15_000
   */
  readonly heartbeatInterval?: number
  /**
   * The time that a client waits before it reconnects, in milliseconds, spread by a quarter either way. At least 1,000.
   *
   * @default 2_000
   */
  readonly retry?: number
  /**
   * The time that another node has to answer a command, in milliseconds. At least 1.
   *
   * @default 5_000
   */
  readonly commandTimeout?: number
  /**
   * The largest event that may be published: its `data` as JSON, or its `evt`, in bytes of UTF-8. At least 1.
   *
   * @default 1_048_576
   */
  readonly maxEventBytes?: number
  /**
   * The most users, rooms or sessions that one `publish` may name. At least 1.
   *
   * @default 1_000
   */
  readonly maxTargets?: number
  /**
   * The largest packet that a client may send, in bytes. At least 1.
   *
   * @default 65_536
   */
  readonly maxPacketBytes?: number
  /**
   * The most sessions that one user may have on a node. Sessions in grace do not count. At least 1.
   *
   * @default 16
   */
  readonly maxSessionsPerUser?: number
  /**
   * What happens to one more session of a user: `'evict-oldest'` closes the user's oldest session for good, `'reject'`
   * answers the new one with 429.
   *
   * @default 'evict-oldest'
   */
  readonly onExcess?: 'evict-oldest' | 'reject'
  /**
   * The streams that a user may open on a node in a minute, and up to twice `maxSessionsPerUser` in a burst. One more
   * gets the temporary answer, with a reconnect delay ten times as long. Anonymous clients are not limited. At least 1.
   *
   * @default 120
   */
  readonly connectRate?: number
  /**
   * The most sessions on a node. One more gets the temporary answer. At least 1.
   *
   * @default 2_147_483_647: unlimited
   */
  readonly maxSessions?: number
  /**
   * The most rooms that a client may have a session in.
   *
   * @default 64
   */
  readonly maxRoomsPerSession?: number
  /**
   * The most bytes that may wait for a slow reader, not counting the write on its way and one batch behind it. Beyond
   * that the session is closed with SLOW. At least 1.
   *
   * @default 1_048_576
   */
  readonly maxBufferedBytes?: number
  /**
   * The time that a write may make no progress, in milliseconds. Then the session is closed with SLOW. At least 1.
   *
   * @default 30_000
   */
  readonly writeTimeout?: number
  /**
   * The time that a connection lives whose client does not answer heartbeats, in milliseconds; 80 to 100 % of it, at
   * random. Then it is closed with AGED, and the client reconnects. 0 turns the limit off.
   *
   * @default 600_000
   */
  readonly maxConnectionAge?: number
  /**
   * The most events of one target (a user, a room, the world) that the history stores. 0 stores none.
   *
   * @default 1_000
   */
  readonly historyEvents?: number
  /**
   * The most bytes that the history stores in all. Beyond that the targets that use most give up their oldest events, so
   * that a busy one does not evict those of a quiet one.
   *
   * @default 67_108_864
   */
  readonly historyBytes?: number
  /**
   * The time that the history stores an event, in milliseconds. At least 1.
   *
   * @default 300_000
   */
  readonly historyAge?: number
  /**
   * The past events that a user may ask for by `?recent=` and by JOIN with `recent` or `since`, in bytes a second on a
   * node; 16 times as many at once. A JOIN beyond it gets 429, and `?recent=` leaves rooms out, which a `comet.gap`
   * names. What a client missed is never limited, and anonymous clients are not. At least 1.
   *
   * @default 1_048_576
   */
  readonly historyRate?: number
  /**
   * Tells how much the history stores of a user, of a room or of the world: `true` for as much as the other options say,
   * `false` for nothing, or limits of its own. Whoever may enter a room may read what is stored of it. Called for each
   * event and target, so it should be quick; on all nodes it should answer the same. An error that it throws, and any
   * other answer, goes to `'error'`, and nothing is stored.
   *
   * @default undefined: the events of all are stored
   * @example
   * keepHistory: ({ rid }) => rid?.startsWith('run-') ? { events: 5_000 } : rid !== undefined
   */
  readonly keepHistory?: (target: HistoryTarget) => boolean | HistoryLimits
  /**
   * The longest uid, rid and clientId, in bytes of UTF-8. At least 1.
   *
   * @default 256
   */
  readonly maxIdBytes?: number
  /**
   * The packets that a session may send in a second, and twice as many in a burst. Beyond that they get 429. At least
   * 1.
   *
   * @default 20
   */
  readonly packetRate?: number
}

/** The options with their defaults filled in. */
export type ResolvedOptions = Required<
  Omit<CometOptions, 'onMessage' | 'canEnter' | 'server' | 'keepHistory'>
> &
  Pick<CometOptions, 'onMessage' | 'canEnter' | 'server' | 'keepHistory'>

/** The longest delay of Node.js's timers, in milliseconds: with a longer one they fire at once. */
const LARGEST = 2_147_483_647

/** The numeric options, with their default and least value. */
const NUMBERS = {
  offlineGrace: { default: 5_000, least: 0 },
  heartbeatInterval: { default: 15_000, least: 0 },
  retry: { default: 2_000, least: 1_000 },
  commandTimeout: { default: 5_000, least: 1 },
  maxEventBytes: { default: 1_048_576, least: 1 },
  maxTargets: { default: 1_000, least: 1 },
  maxPacketBytes: { default: 65_536, least: 1 },
  maxIdBytes: { default: 256, least: 1 },
  packetRate: { default: 20, least: 1 },
  maxSessionsPerUser: { default: 16, least: 1 },
  connectRate: { default: 120, least: 1 },
  maxSessions: { default: LARGEST, least: 1 },
  maxRoomsPerSession: { default: 64, least: 0 },
  maxBufferedBytes: { default: 1_048_576, least: 1 },
  writeTimeout: { default: 30_000, least: 1 },
  maxConnectionAge: { default: 600_000, least: 0 },
  historyEvents: { default: 1_000, least: 0 },
  historyBytes: { default: 67_108_864, least: 0 },
  historyAge: { default: 300_000, least: 1 },
  historyRate: { default: 1_048_576, least: 1 },
} as const

const NAMES = [
  ...Object.keys(NUMBERS),
  ...[
    'canEnter',
    'onMessage',
    'broker',
    'presence',
    'controller',
    'namespace',
    'server',
    'keepHistory',
    'onExcess',
    'activity',
    'heard',
  ],
]

/**
 * Checks the options and fills in the defaults.
 *
 * @throws CometError INVALID_OPTION, which names the option and what it may be
 */
export function resolveOptions(options: CometOptions = {}): ResolvedOptions {
  checkOptions('The options', options, NAMES)
  const { canEnter, onMessage, keepHistory, onExcess = 'evict-oldest', namespace = 'comet', server } = options
  const { activity = 'local', heard = 'local' } = options
  if (onExcess !== 'evict-oldest' && onExcess !== 'reject') {
    throw invalid("Option onExcess must be 'evict-oldest' or 'reject'.")
  }
  if (activity !== 'local' && activity !== 'cluster') {
    throw invalid("Option activity must be 'local' or 'cluster'.")
  }
  if (heard !== 'local' && heard !== 'record') throw invalid("Option heard must be 'local' or 'record'.")
  return {
    canEnter: checkFunction('canEnter', canEnter),
    onMessage: checkFunction('onMessage', onMessage),
    keepHistory: checkFunction('keepHistory', keepHistory),
    onExcess,
    activity,
    heard,
    ...resolvePorts(options),
    namespace: checkText('namespace', namespace),
    server: server === undefined ? undefined : checkText('server', server),
    ...resolveNumbers(options),
  }
}

function resolvePorts({ broker, presence, controller }: CometOptions) {
  if (broker === undefined && (presence !== undefined || controller !== undefined)) {
    throw invalid(
      'A presence or controller spans the nodes that share a broker: give the option broker, too.',
    )
  }
  const shared = checkPort('broker', broker === undefined ? ownBroker() : broker)
  return {
    broker: shared,
    presence: checkPort('presence', presence === undefined ? shared.presence : presence),
    controller: checkPort('controller', controller === undefined ? shared.controller : controller),
  }
}

function checkPort<Port extends object>(name: string, port: Port | undefined): Port {
  if (port === undefined) {
    throw invalid(
      `This broker brings no ${name}: give the option ${name}, one that spans the nodes that share the broker, such as that of redisCluster. ` +
        'A private one would call users offline who are on another node.',
    )
  }
  if (typeof (port as { join?: unknown } | null)?.join === 'function') return port
  throw invalid(`Option ${name} must be a ${name} with a method join, not ${kindOf(port)}.`)
}

function resolveNumbers(options: CometOptions): Record<keyof typeof NUMBERS, number> {
  const resolved: Partial<Record<keyof typeof NUMBERS, number>> = {}
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const { default: preset, least } = NUMBERS[name]
    // Not `??`: null is no number, and must be refused.
    const { [name]: value = preset } = options
    resolved[name] = checkNumber(name, value, least)
  }
  return resolved as Record<keyof typeof NUMBERS, number>
}

function checkNumber(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && value >= least && value <= LARGEST) return value
  const found = typeof value === 'number' ? value : kindOf(value)
  throw invalid(`Option ${name} must be a number from ${least} to ${LARGEST}, not ${found}.`)
}

/**
 * Checks a time in milliseconds that is an argument of a method.
 *
 * @throws CometError INVALID_OPTION
 */
export function checkMilliseconds(name: string, value: unknown): asserts value is number {
  checkNumber(name, value, 0)
}

/**
 * Checks a number of things that is an argument of a method: a whole number, or Infinity for all.
 *
 * @throws CometError INVALID_OPTION
 */
export function checkLimit(name: string, value: unknown, least = 0): asserts value is number {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= least)) return
  const found = typeof value === 'number' ? value : kindOf(value)
  throw invalid(`Option ${name} must be a whole number, ${least} or more, or Infinity, not ${found}.`)
}

/**
 * Checks an answer of `keepHistory` that is an object, and fills in the defaults.
 *
 * @throws CometError INVALID_OPTION
 */
export function checkLimits(answer: object, defaults: Required<HistoryLimits>): Required<HistoryLimits> {
  const limits = checkOptions('What keepHistory answered', answer, ['events', 'age'])
  const { events = defaults.events, age = defaults.age } = limits
  checkWhole('keepHistory().events', events, LARGEST)
  checkWhole('keepHistory().age', age, defaults.age)
  return { events, age }
}

function checkWhole(name: string, value: unknown, most: number): asserts value is number {
  if (Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most) return
  const found = typeof value === 'number' ? value : kindOf(value)
  throw invalid(`${name} must be a whole number from 1 to ${most}, not ${found}.`)
}

function checkFunction<F>(name: string, value: F): F {
  if (value === undefined || typeof value === 'function') return value
  throw invalid(`Option ${name} must be a function, not ${kindOf(value)}.`)
}

function checkText(name: string, value: unknown): string {
  try {
    return checkId(`Option ${name}`, value, 256, 'a fixed limit')
  } catch (cause) {
    throw new CometError('INVALID_OPTION', (cause as Error).message, { cause })
  }
}

function invalid(message: string): CometError {
  return new CometError('INVALID_OPTION', message)
}

function ownBroker(): Broker {
  // PM2 numbers the instances of an app. One above 0 shows that there are several.
  if (cluster.isWorker || Number(process.env.NODE_APP_INSTANCE) > 0) {
    process.emitWarning(
      'This Comet keeps to its process, but runs in one of several workers, which will not hear each other. ' +
        'Give it a broker that they share: see comet-sse/redis.',
      { type: 'CometWarning', code: 'COMET_WORKERS' },
    )
  }
  return new MemoryBroker()
}
