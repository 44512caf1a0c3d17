import cluster from 'node:cluster'
import { CometError } from './errors.ts'
import type { ClientMessage } from './hooks/hooks.ts'
import { MemoryBroker } from './memory/broker.ts'
import type { Broker } from './ports/broker.ts'
import type { Controller } from './ports/controller.ts'
import type { Presence } from './ports/presence.ts'
import type { SessionInfo } from './session/session.ts'
import { kindOf } from './util/kind-of.ts'
import { checkId } from './util/validate.ts'

/** What `canEnter` is asked. */
export interface EnterRequest {
  readonly uid: string
  readonly rid: string
  /** The `info` of the identity of the request at hand. */
  readonly info?: unknown
  readonly session: SessionInfo
}

/** Options of a Comet. Times are milliseconds, sizes bytes. */
export interface CometOptions {
  /**
   * Whether a client may enter a room it asked for by `?rid=` or JOIN. May be async. A CometError it throws is a no;
   * anything else goes to `'error'`, and the client is not let in but may try again: a JOIN is answered with 500, and
   * who asks for a stream is sent away for now. Default: no client may enter any room.
   */
  readonly canEnter?: (request: EnterRequest) => boolean | Promise<boolean>
  /**
   * Takes what a client sent with SEND. What it answers, in JSON, goes back to the client with 200, nothing
   * with 204; a CometError it throws gives the status. Default: none, 204.
   */
  readonly onMessage?: (message: ClientMessage) => unknown
  /** Carries events between nodes. Default: a MemoryBroker of its own. */
  readonly broker?: Broker
  /** Who is online over all nodes. Default: the broker's. */
  readonly presence?: Presence
  /** Commands between nodes. Default: the broker's. */
  readonly controller?: Controller
  /** Comets that share a broker hear each other when they have the same namespace. Default: `'comet'`. */
  readonly namespace?: string
  /** `Message.server` of messages published here. Default: the namespace and a random id of this node. */
  readonly server?: string
  /** How long a user whose connection dropped still counts as present. Default: 5,000; 0 is off. */
  readonly offlineGrace?: number
  /** Time between two heartbeats of a stream. Default: 15,000; 0 is off. */
  readonly heartbeatInterval?: number
  /** How long a client waits before it reconnects, spread by a quarter either way. Default: 2,000. */
  readonly retry?: number
  /** How long another node may take to answer. Default: 5,000. */
  readonly commandTimeout?: number
  /** The largest `evt` that may be published, in UTF-8. Default: 1 MiB. */
  readonly maxEventBytes?: number
  /** The largest packet a client may send. Default: 64 KiB. */
  readonly maxPacketBytes?: number
  /** Sessions of one user on a node; those in grace do not count. Default: 16. */
  readonly maxSessionsPerUser?: number
  /** What happens to one more: its user's oldest is closed for good, or it is answered with 429. */
  readonly onExcess?: 'evict-oldest' | 'reject'
  /** Sessions on a node; one more is sent away for now. Default: unlimited. */
  readonly maxSessions?: number
  /** Rooms a client may have a session in. Default: 64. */
  readonly maxRoomsPerSession?: number
  /** What may wait for a slow reader beside the write on its way; more closes it. Default: 1 MiB. */
  readonly maxBufferedBytes?: number
  /** How long a write may make no progress. Default: 30,000. */
  readonly writeTimeout?: number
  /** How long a connection may live, 80 to 100 % of it at random. Default: 600,000; 0 is off. */
  readonly maxConnectionAge?: number
  /** How many events of one target are kept for clients that come back. Default: 1,000; 0 keeps none. */
  readonly historyEvents?: number
  /** How much is kept in all. Default: 64 MiB. */
  readonly historyBytes?: number
  /** How long an event is kept. Default: 300,000. */
  readonly historyAge?: number
  /** Whether events of a room are kept; `true` and nothing else is a yes. Who may enter a room may read what is kept. Default: all are. */
  readonly keepHistory?: (target: { readonly rid: string }) => boolean
  /** The longest uid, rid and clientId, in UTF-8. Default: 256. */
  readonly maxIdBytes?: number
  /** Packets a session may send in a second; twice as many in a burst. Default: 20. */
  readonly packetRate?: number
}

/** Every option with its value. */
export type ResolvedOptions = Required<
  Omit<CometOptions, 'onMessage' | 'canEnter' | 'server' | 'keepHistory'>
> &
  Pick<CometOptions, 'onMessage' | 'canEnter' | 'server' | 'keepHistory'>

/** Timers of Node fire at once when they are given more. */
const LARGEST = 2_147_483_647

/** The numeric options: their default and least value. */
const NUMBERS = {
  offlineGrace: { default: 5_000, least: 0 },
  heartbeatInterval: { default: 15_000, least: 0 },
  retry: { default: 2_000, least: 1_000 },
  commandTimeout: { default: 5_000, least: 1 },
  maxEventBytes: { default: 1_048_576, least: 1 },
  maxPacketBytes: { default: 65_536, least: 1 },
  maxIdBytes: { default: 256, least: 1 },
  packetRate: { default: 20, least: 1 },
  maxSessionsPerUser: { default: 16, least: 1 },
  maxSessions: { default: LARGEST, least: 1 },
  maxRoomsPerSession: { default: 64, least: 0 },
  maxBufferedBytes: { default: 1_048_576, least: 1 },
  writeTimeout: { default: 30_000, least: 1 },
  maxConnectionAge: { default: 600_000, least: 0 },
  historyEvents: { default: 1_000, least: 0 },
  historyBytes: { default: 67_108_864, least: 0 },
  historyAge: { default: 300_000, least: 1 },
} as const

const NAMES = new Set([
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
  ],
])

/**
 * Checks the options and fills in the defaults.
 *
 * @throws CometError INVALID_OPTION, which names the option and what it may be
 */
export function resolveOptions(options: CometOptions = {}): ResolvedOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`The options must be an object, not ${kindOf(options)}.`)
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) throw invalid(`There is no option ${JSON.stringify(name)}.`)
  }
  const { canEnter, onMessage, keepHistory, onExcess = 'evict-oldest', namespace = 'comet', server } = options
  if (onExcess !== 'evict-oldest' && onExcess !== 'reject') {
    throw invalid("Option onExcess must be 'evict-oldest' or 'reject'.")
  }
  return {
    canEnter: checkFunction('canEnter', canEnter),
    onMessage: checkFunction('onMessage', onMessage),
    keepHistory: checkFunction('keepHistory', keepHistory),
    onExcess,
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
      `This broker brings no ${name}: give the option ${name}, one that spans the nodes that share the broker. ` +
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
    // Not `??`: null is no number, and must not pass for one.
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
 * Checks a time that is given to a method.
 *
 * @throws CometError INVALID_OPTION
 */
export function checkMilliseconds(name: string, value: unknown): void {
  checkNumber(name, value, 0)
}

function checkFunction<F>(name: string, value: F): F {
  if (value === undefined || typeof value === 'function') return value
  throw invalid(`Option ${name} must be a function, not ${kindOf(value)}.`)
}

function checkText(name: string, value: unknown): string {
  try {
    return checkId(`Option ${name}`, value, 256)
  } catch (cause) {
    throw new CometError('INVALID_OPTION', (cause as Error).message, { cause })
  }
}

function invalid(message: string): CometError {
  return new CometError('INVALID_OPTION', message)
}

function ownBroker(): Broker {
  // PM2 numbers the instances of an app; a second one shows that there are several.
  if (cluster.isWorker || Number(process.env.NODE_APP_INSTANCE) > 0) {
    process.emitWarning(
      'This Comet keeps to its process, but runs in one of several workers, which will not hear each other. ' +
        'Give it a broker that they share.',
      { type: 'CometWarning', code: 'COMET_WORKERS' },
    )
  }
  return new MemoryBroker()
}
