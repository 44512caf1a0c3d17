import { EventEmitter } from 'eventemitter3'
import { CometError } from '../errors.ts'
import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { kindOf } from '../util/kind-of.ts'

/** A UserActivityEvent about a room. */
export type RoomActivityEvent = UserActivityEvent & { readonly rid: string }

/** The message of a SEND packet. */
export interface ClientMessage {
  readonly uid: string
  readonly sid: string
  /** The text that the client sent. Untrusted. */
  readonly evt: string
}

/** The names of the hooks, each with the value that its listeners get. */
export interface HookMap {
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
  message: ClientMessage
  /** A listener threw, a callback of the options failed, or a port failed. Without a listener: a process warning. */
  error: Error
}

/** A listener. May be async. An error that it throws, or rejects with, goes to `'error'`. */
export type HookListener<Name extends keyof HookMap> = (value: HookMap[Name]) => unknown

const NAMES: ReadonlySet<string> = new Set<keyof HookMap>([
  ...(['activity', 'online', 'offline', 'heard', 'enter', 'leave', 'message', 'error'] as const),
])

type Guard = (name: keyof HookMap, value: unknown) => void

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

  /** @throws CometError INVALID_OPTION */
  on<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.on(checkName(name), this.#guard(listener))
  }

  /** @throws CometError INVALID_OPTION */
  once<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.once(checkName(name), this.#guard(listener))
  }

  off<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.off(name, this.#guard(listener))
  }

  /** Calls the listeners. Never throws. */
  emit<Name extends keyof HookMap>(name: Name, value: HookMap[Name]): void {
    // The second `name` is the guard's first argument.
    this.#emitter.emit(name, name, value)
  }

  /** Emits `'error'` for a failure that no caller can be told about. Never throws. */
  report(thrown: unknown): void {
    const error = toError(thrown)
    if (this.#emitter.listenerCount('error') > 0) this.emit('error', error)
    else warn(error)
  }

  /** Reports the rejection of a promise that the app also holds. See {@link report}. */
  reportRejection(error: object): void {
    this.#reported.add(error)
    this.report(error)
  }

  #guard(listener: HookListener<never>): Guard {
    if (typeof listener !== 'function') {
      throw new CometError('INVALID_OPTION', `A hook must be a function, not ${kindOf(listener)}.`)
    }
    let guard = this.#guards.get(listener)
    if (guard === undefined) {
      guard = (name, value) => {
        const failed = (error: unknown) => {
          if (name === 'error') warn(toError(error))
          else if (!this.#reported.has(error as object)) this.report(error)
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

function checkName(name: string): string {
  if (NAMES.has(name)) return name
  throw new CometError(
    'INVALID_OPTION',
    `There is no hook ${JSON.stringify(name)}. The hooks are ${[...NAMES].join(', ')}.`,
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

function warn({ message, stack }: Error): void {
  process.emitWarning(String(message), {
    type: 'CometWarning',
    ...(stack === undefined ? {} : { detail: stack }),
  })
}

function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new CometError('INTERNAL', `Something threw: ${inWords(thrown)}`, { cause: thrown })
}

/** Describes a thrown value. An object without a prototype, such as `Object.create(null)`, cannot become a string. */
function inWords(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return kindOf(thrown)
  }
}
