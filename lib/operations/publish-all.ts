import { asAppError, CometError, isCometError } from '../errors.ts'
import type { EventRun } from '../node/node.ts'
import { isObject } from '../util/is-object.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkKeys } from '../util/known-keys.ts'
import { checkName, envelopesTo } from './envelope.ts'
import type { PublishOptions } from './publication.ts'
import { type PublishContext, publish } from './publish.ts'

/** Options of `comet.publishAll`. */
export interface PublishAllOptions<Name extends string = string> extends PublishOptions {
  /** The name of the items' events. */
  readonly event: Name
  /**
   * The name of the event that comes at the end.
   *
   * @default the name of the items' events and `.end`
   */
  readonly end?: string
  /**
   * Ends the publishing when it is aborted.
   *
   * @default undefined
   */
  readonly signal?: AbortSignal | undefined
}

const OPTION_KEYS = ['event', 'end', 'signal', 'except', 'transient'] as const

/** The most items whose publishing has not settled, and the most that are published in a turn of the event loop. */
const MOST_UNSETTLED = 64

/** Publishes one event of the run. */
type Publish = (event: string, data: unknown) => Promise<void>

/**
 * Publishes each item of an iterable, and an event that tells how it ended.
 *
 * @returns the number of items
 * @throws CometError as {@link publish}, ABORTED; or what the iterable throws
 */
export async function publishAll(
  context: PublishContext,
  target: unknown,
  items: unknown,
  options: unknown,
): Promise<number> {
  const { run, event, end, iterator } = check(context, target, items, options)
  context.runs.add(run)
  if (context.closing) run.fail(new CometError('SHUTTING_DOWN'))
  try {
    await run.publishItems(iterator, event)
    await run.publish(end, { ok: true, count: run.count })
    return run.count
  } catch (error) {
    const code = isCometError(error) ? error.code : 'INTERNAL'
    try {
      await run.publish(end, { ok: false, code, count: run.count })
    } catch (failure) {
      // Mostly for the reason that the caller is told of, such as that this Comet was closed.
      if (!isCometError(failure) || failure.code !== code) context.hooks.report(failure)
    }
    throw asAppError(error)
  } finally {
    context.runs.delete(run)
    run.close()
  }
}

/** Whether the app itself has ended a run: it aborted the signal, or closed the Comet. */
export function isEndedByApp(error: unknown): boolean {
  return isCometError(error) && (error.code === 'ABORTED' || error.code === 'SHUTTING_DOWN')
}

/** Checks the arguments before the first item is taken. */
function check(context: PublishContext, target: unknown, items: unknown, options: unknown) {
  try {
    const checked = checkKeys('The options of publishAll', options, OPTION_KEYS, 'INVALID_EVENT')
    const { event: name, end, signal, ...publishOptions } = checked
    const event = checkName('event', name, context.options)
    const last = checkName('end', end === undefined ? `${event}.end` : end, context.options)
    if (signal !== undefined && !isAbortSignal(signal)) {
      throw new CometError('INVALID_EVENT', `Option signal must be an AbortSignal, not ${kindOf(signal)}.`)
    }
    const encode = envelopesTo(target, publishOptions, context.options)
    const publishEvent: Publish = (name, data) => publish(context, () => encode(name, data))
    const iterator = iteratorOf(items)
    return { run: new Run(publishEvent, signal), event, end: last, iterator }
  } catch (error) {
    throw asAppError(error)
  }
}

/** Tells whether a value is an AbortSignal of any realm: in Jest, or of a library for old browsers. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return Object.prototype.toString.call(value) === '[object AbortSignal]'
}

type Items = AsyncIterator<unknown> | Iterator<unknown>

function iteratorOf(items: unknown): Items {
  // A string is iterable: its characters are hardly meant.
  if (typeof items === 'object' && items !== null) {
    if (Symbol.asyncIterator in items) return (items as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    if (Symbol.iterator in items) return (items as Iterable<unknown>)[Symbol.iterator]()
  }
  throw new CometError('INVALID_EVENT', `The items must be an async iterable, not ${kindOf(items)}.`)
}

/** Lets an iterator clean up. What it throws then is no failure of the run, which has ended. */
async function takeEnd(iterator: Items): Promise<void> {
  await iterator.return?.()
}

/**
 * The publishing of one iterable. It ends with the first failure: of the iterable, of an event, by the signal, or when
 * the Comet closes.
 */
class Run implements EventRun {
  readonly ended: Promise<void>
  readonly publish: Publish
  /** The number of items that were published. */
  count = 0
  readonly #signal: AbortSignal | undefined
  #unsettled = 0
  /** Whether the iterator has ended by itself, or has thrown. */
  #isExhausted = false
  #failure: { readonly error: unknown } | undefined
  #onEnd: () => void = () => {}
  /** Continues what waits for the next item, or for an event to settle. */
  #wake: (() => void) | undefined

  constructor(publishEvent: Publish, signal: AbortSignal | undefined) {
    this.publish = publishEvent
    this.#signal = signal
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve
    })
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#onEnd()
  }

  async publishItems(iterator: Items, event: string): Promise<void> {
    let taken = 0
    while (this.#failure === undefined) {
      const item = await this.#nextOf(iterator)
      if (item === undefined) break
      this.#publishItem(event, item.value)
      while (this.#unsettled >= MOST_UNSETTLED && this.#failure === undefined) await this.#change()
      taken += 1
      // An iterable that never waits must not keep the process from writing to clients.
      if (taken % MOST_UNSETTLED === 0) await new Promise(setImmediate)
    }
    // Before anything is waited for, so that the source stops. Not awaited: a generator that waits for its source ends when
    // the source answers.
    if (!this.#isExhausted) takeEnd(iterator).catch(() => {})
    while (this.#unsettled > 0) await this.#change()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** @returns undefined when there is none, or the run has failed meanwhile */
  async #nextOf(iterator: Items): Promise<{ readonly value: unknown } | undefined> {
    let item: { readonly value: unknown } | undefined
    this.#takeNext(iterator).then(
      (next) => {
        item = next
        this.#wake?.()
      },
      (error) => this.fail(error),
    )
    while (item === undefined && !this.#isExhausted && this.#failure === undefined) await this.#change()
    return this.#failure === undefined ? item : undefined
  }

  /** @returns undefined at the end */
  async #takeNext(iterator: Items): Promise<{ readonly value: unknown } | undefined> {
    let value: unknown
    try {
      const result: unknown = await iterator.next()
      if (!isObject(result)) throw new TypeError(`The iterator answered ${kindOf(result)}, not an object.`)
      const next: Partial<IteratorResult<unknown, unknown>> = result
      this.#isExhausted = Boolean(next.done)
      if (this.#isExhausted) return undefined
      value = next.value
    } catch (error) {
      this.#isExhausted = true
      throw error
    }
    return { value: await value }
  }

  #publishItem(event: string, data: unknown): void {
    this.#unsettled += 1
    this.publish(event, data).then(
      () => {
        this.#unsettled -= 1
        this.count += 1
        this.#wake?.()
      },
      (error) => {
        this.#unsettled -= 1
        this.fail(error)
      },
    )
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  readonly #onAbort = (): void => {
    this.fail(new CometError('ABORTED', undefined, { cause: this.#signal?.reason }))
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake?.()
  }
}
