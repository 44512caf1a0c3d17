import { AsyncLocalStorage } from 'node:async_hooks'

/** A call of the `'error'` listeners of some Hooks. */
interface Call {
  readonly owner: object
  /** The time of the call, on the clock of `performance.now()`. */
  readonly time: number
}

/** The calls of `'error'` listeners that some code runs because of. */
export type ErrorContext = readonly Call[]

/**
 * How long a call counts as the cause of what happens, in milliseconds. Timers and sockets that a listener opens may
 * live as long as the process; in the end what they do is no consequence of one error.
 */
const LONGEST_MS = 60_000

/** Follows the listeners over promises, timers and callbacks. */
const storage = new AsyncLocalStorage<ErrorContext>()

let lastCall = 0
let timer: NodeJS.Timeout | undefined

/** Runs the `'error'` listeners of `owner`. What they cause, at once or later, runs in their context. */
export function runErrorListeners(owner: object, run: () => void): void {
  lastCall = performance.now()
  timer ??= setTimeout(disableWhenQuiet, LONGEST_MS).unref()
  storage.run([...(errorContext() ?? []), { owner, time: lastCall }], run)
}

/** Tells whether the code that runs was caused by an `'error'` listener of `owner`. */
export function isCausedByErrorListener(owner: object): boolean {
  return errorContext()?.some((call) => call.owner === owner) ?? false
}

/** The calls of `'error'` listeners that caused the code that runs. Undefined when there are none. */
export function errorContext(): ErrorContext | undefined {
  const limit = performance.now() - LONGEST_MS
  const calls = storage.getStore()?.filter(({ time }) => time > limit)
  return calls?.length ? calls : undefined
}

/** Runs code in a context that {@link errorContext} gave before. */
export function runInErrorContext(context: ErrorContext, run: () => void): void {
  storage.run(context, run)
}

/** Ends the tracking. Before Node.js 24 it makes each promise of the process cost about twice as much. */
function disableWhenQuiet(): void {
  const quiet = performance.now() - lastCall
  timer = quiet < LONGEST_MS ? setTimeout(disableWhenQuiet, LONGEST_MS - quiet).unref() : undefined
  if (timer === undefined) storage.disable()
}
