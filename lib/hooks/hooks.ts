import { EventEmitter } from 'eventemitter3'
import { CometError } from '../errors.ts'
import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { kindOf } from '../util/kind-of.ts'

/** A UserActivityEvent about a room. */
export type RoomActivityEvent = UserActivityEvent & { readonly rid: string }

/** What a client sent up. */
export interface ClientMessage {
  readonly uid: string
  readonly sid: string
  /** The text the client sent, opaque. */
  readonly evt: string
}

/** What may be listened to, and what a listener is given. */
export interface HookMap {
  /** Every UserActivityEvent, in the order it happened. */
  activity: UserActivityEvent
  /** A user's first session came. */
  online: UserActivityEvent
  /** A user's last session is gone, and its grace over. */
  offline: UserActivityEvent
  /** A user sent something, or `comet.heard` was called. */
  heard: UserActivityEvent
  /** A user entered a room. */
  enter: RoomActivityEvent
  /** A user left a room. */
  leave: RoomActivityEvent
  /** A client sent something with a SEND packet that `onMessage` did not refuse. */
  message: ClientMessage
  /** A hook threw, a callback failed, a broker failed. Without a listener it becomes a process warning. */
  error: Error
}

/** May be async; what it throws or rejects with goes to `'error'`. */
export type HookListener<Name extends keyof HookMap> = (value: HookMap[Name]) => unknown

const NAMES: ReadonlySet<string> = new Set<keyof HookMap>([
  ...(['activity', 'online', 'offline', 'heard', 'enter', 'leave', 'message', 'error'] as const),
])

type Guard = (name: keyof HookMap, value: unknown) => void

/** The listeners of a Comet, kept from harming each other and whoever emits. */
export class Hooks {
  readonly #emitter = new EventEmitter<string>()
  /** The guard around each listener, by which `off` finds it. */
  readonly #guards = new WeakMap<HookListener<never>, Guard>()
  /** Failures of promises that a hook may have returned: it must not report them once more. */
  readonly #reported = new WeakSet<object>()

  on<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.on(checkName(name), this.#guard(listener))
  }

  once<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.once(checkName(name), this.#guard(listener))
  }

  off<Name extends keyof HookMap>(name: Name, listener: HookListener<Name>): void {
    this.#emitter.off(name, this.#guard(listener))
  }

  emit<Name extends keyof HookMap>(name: Name, value: HookMap[Name]): void {
    this.#emitter.emit(name, name, value)
  }

  /** Says that something failed that has no caller to be told. Anything may be thrown; an Error is said. */
  report(thrown: unknown): void {
    const error = toError(thrown)
    if (this.#emitter.listenerCount('error') > 0) this.emit('error', error)
    else warn(error)
  }

  /** As {@link report}, for what a promise rejects with that the host was given. */
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
    `There is no hook ${JSON.stringify(name)}, but ${[...NAMES].join(', ')}.`,
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

/** Not everything that can be thrown can be made a string: an object without a prototype cannot, for one. */
function inWords(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return kindOf(thrown)
  }
}
