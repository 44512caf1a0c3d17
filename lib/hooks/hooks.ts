import { EventEmitter } from 'eventemitter3'
import { CometError } from '../errors.ts'
import type { CometCloseCode } from '../protocol/close-codes.ts'
import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { isError, messageOf } from '../util/is-error.ts'
import { isObject } from '../util/is-object.ts'
import { kindOf } from '../util/kind-of.ts'
import { didYouMean } from '../util/known-keys.ts'
import {
  type ErrorContext,
  errorContext,
  isCausedByErrorListener,
  runErrorListeners,
  runInErrorContext,
} from './error-context.ts'
import type { SessionInfo } from './session-info.ts'
import { Warnings } from './warnings.ts'

/** A UserActivityEvent about a room. */
export type RoomActivityEvent = UserActivityEvent & { readonly rid: string }

/** The message of a SEND packet. */
export interface ClientMessage<Info = unknown> {
  readonly uid: string
  readonly sid: string
  /** The text that the client sent. Untrusted. */
  readonly evt: string
  readonly session: SessionInfo
  /** The `info` of the identity that came with this request. */
  readonly info?: Info
}

/** A session whose stream has begun. */
export interface SessionStart<Info = unknown> {
  readonly session: SessionInfo
  /** The `info` of the identity. */
  readonly info?: Info
  /** Whether the client gets all that it missed. False for a new one. */
  readonly recovered: boolean
  /**
   * The connection that the session was on before a takeover, and whether it was connected still. Undefined for a
   * session that begins.
   */
  readonly previous?: { readonly connection: string; readonly connected: boolean }
}

/** A session whose stream has ended. */
export interface SessionEnd {
  /** As it was right before its end. */
  readonly session: SessionInfo
  /** Why it ended. With `TAKEN_OVER` the session goes on, on another connection. */
  readonly code: CometCloseCode
  /** The time since its `'connect'`, in milliseconds. */
  readonly duration: number
}

/** A port that went away, or that is back. */
export interface StatusChange {
  readonly port: 'broker' | 'presence' | 'controller'
  readonly up: boolean
  /** Why it cannot be reached: the error that `'error'` gets, too. */
  readonly error?: Error
  /** The calls that were rejected because it was away. Present when it is back. */
  readonly rejected?: number
}

/** The names of the hooks, each with the value that its listeners get. */
export interface HookMap<Info = unknown> {
  /** Every UserActivityEvent, in the order it happened. */
  activity: UserActivityEvent
  /** A user's first session connected. */
  online: UserActivityEvent
  /** A user's last session is gone, and its grace is over. */
  offline: UserActivityEvent
  /** A user sent a packet, or the app called `comet.heard`. */
  heard: UserActivityEvent
  /** A user entered a room. */
  enter: RoomActivityEvent
  /** A user left a room. */
  leave: RoomActivityEvent
  /** A client sent a SEND packet, and `onMessage` did not refuse it. */
  message: ClientMessage<Info>
  /**
   * A stream of this node has begun: the session is reachable, and `comet.ready` is on its way. What the listener
   * publishes to the session comes after what the client missed. Called for anonymous sessions, too.
   */
  connect: SessionStart<Info>
  /** A stream of this node has ended, for which `'connect'` was called. */
  disconnect: SessionEnd
  /** The broker, the presence or the controller cannot be reached, or can again: once each. Never in one process. */
  status: StatusChange
  /**
   * A listener threw, a callback of the options failed, or a port failed: once when it goes away. Without a listener: a process warning. What
   * fails because of an `'error'` listener, at once or within a minute, becomes a process warning, too.
   */
  error: Error
}

/** A listener. May be async. An error that it throws, or rejects with, goes to `'error'`. */
export type HookListener<Name extends keyof HookMap, Info = unknown> = (value: HookMap<Info>[Name]) => unknown

const NAMES: ReadonlySet<string> = new Set<keyof HookMap>([
  ...(['activity', 'online', 'offline', 'heard', 'enter', 'leave'] as const),
  ...(['message', 'connect', 'disconnect', 'status', 'error'] as const),
])

type Guard = (name: keyof HookMap, value: unknown) => void

/**
 * The most calls of the `'error'` listeners in a turn of the event loop. A loop of errors that cannot be recognized,
 * because it leads through a queue of a broker, ends here, and timers run.
 */
const MOST_A_TURN = 10_000

/** The listeners of a Comet. A listener that throws affects neither the others nor the code that emits. */
export class Hooks {
  readonly #emitter = new EventEmitter<string>()
  /** The function that is registered for each listener. `off` finds it here. */
  readonly #guards = new WeakMap<HookListener<never>, Guard>()
  /**
   * The errors of rejected `publish` promises, reported already. If a listener returns such a promise, its error is not
   * reported again.
   */
  readonly #reported = new WeakSet<object>()
  /** The values that an `'error'` listener caused, and that are emitted later than it runs. */
  readonly #causes = new WeakMap<object, ErrorContext>()
  readonly #warnings = new Warnings()
  /** The number of times that `'error'` was emitted in this turn of the event loop. */
  #errors = 0

  /** @throws CometError INVALID_OPTION */
  on<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.on(checkName(name), this.#guard(listener))
  }

  /** @throws CometError INVALID_OPTION */
  once<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.once(checkName(name), this.#guard(listener))
  }

  /** @throws CometError INVALID_OPTION */
  off<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.off(checkName(name), this.#guard(listener))
  }

  /** Tells whether a hook has a listener, for values that are costly to make. */
  has(name: keyof HookMap): boolean {
    return this.#emitter.listenerCount(name) > 0
  }

  /** Calls the listeners. Never throws. */
  emit<Name extends keyof HookMap>(name: Name, value: HookMap[Name]): void {
    const cause = this.#causes.get(value)
    // The second `name` is the guard's first argument.
    if (cause === undefined) this.#emitter.emit(name, name, value)
    else runInErrorContext(cause, () => this.#emitter.emit(name, name, value))
  }

  /**
   * Remembers whether an `'error'` listener caused values that will be emitted later. For whoever queues what it emits:
   * without this the queue would hide the cause.
   */
  rememberCause(values: readonly object[]): void {
    const context = errorContext()
    if (context !== undefined) for (const value of values) this.#causes.set(value, context)
  }

  /**
   * Emits `'error'` for a failure that no caller can be told about. It becomes a process warning when there is no
   * listener, or when a listener of `'error'` caused it, which must not be called for ever. Never throws.
   */
  report(thrown: unknown): void {
    const error = toError(thrown)
    if (this.#emitter.listenerCount('error') === 0 || isCausedByErrorListener(this) || !this.#mayCall()) {
      this.#warnings.emit(error)
    } else runErrorListeners(this, () => this.emit('error', error))
  }

  /** Reports the rejection of a promise that the app also holds. See {@link report}. */
  readonly reportRejection = (thrown: unknown): void => {
    if (isObject(thrown)) this.#reported.add(thrown)
    this.report(thrown)
  }

  /** Lets a rejection be: the caller is told, and `'error'` has heard of its cause. */
  readonly leaveToCaller = (thrown: unknown): void => {
    if (isObject(thrown)) this.#reported.add(thrown)
  }

  /** Reports the rejection of a value that turns out to be a promise. See {@link report}. */
  reportIfRejected(value: unknown): void {
    try {
      if (isThenable(value)) value.then(undefined, (error) => this.report(error))
    } catch (error) {
      this.report(error)
    }
  }

  #mayCall(): boolean {
    if (this.#errors === 0) {
      setImmediate(() => {
        this.#errors = 0
      })
    }
    this.#errors += 1
    return this.#errors <= MOST_A_TURN
  }

  #guard(listener: HookListener<never>): Guard {
    if (typeof listener !== 'function') {
      throw new CometError('INVALID_OPTION', `A hook must be a function, not ${kindOf(listener)}.`)
    }
    let guard = this.#guards.get(listener)
    if (guard === undefined) {
      guard = (name, value) => {
        const failed = (error: unknown) => {
          if (isObject(error) && this.#reported.has(error)) return
          if (name === 'error') this.#warnings.emit(toError(error))
          else this.report(error)
        }
        try {
          const result = listener(value as never)
          if (isThenable(result)) result.then(undefined, failed)
        } catch (error) {
          failed(error)
        }
      }
      this.#guards.set(listener, guard)
    }
    return guard
  }
}

function checkName(name: unknown): string {
  if (typeof name !== 'string') {
    throw new CometError('INVALID_OPTION', `The name of a hook must be a string, not ${kindOf(name)}.`)
  }
  if (NAMES.has(name)) return name
  const names = [...NAMES]
  const message = `There is no hook ${JSON.stringify(name)}. The hooks are ${names.join(', ')}.`
  throw new CometError('INVALID_OPTION', message + didYouMean(name, names))
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown
  return new CometError('INTERNAL', `Something threw: ${messageOf(thrown)}`, { cause: thrown })
}
