import { messageOf } from '../util/is-error.ts'

/** The most warnings within a period. Without a bound an outage would fill the app's log with one line per event. */
const MOST = 100

/** The length of a period, in milliseconds. */
const PERIOD_MS = 10_000

/** Emits errors as process warnings, for apps that do not listen to `'error'`. */
export class Warnings {
  #count = 0
  /** When the period began, on the clock of `performance.now()`. */
  #start = Number.NEGATIVE_INFINITY

  /** Emits a warning, unless there were many in the last seconds. Never throws. */
  emit(error: Error): void {
    const time = performance.now()
    if (time - this.#start >= PERIOD_MS) {
      this.#start = time
      this.#count = 0
    }
    this.#count += 1
    if (this.#count <= MOST) emitWarning(messageOf(error), stackOf(error))
    else if (this.#count === MOST + 1) {
      emitWarning(`More than ${MOST} errors within ${PERIOD_MS} ms. The rest of them is not shown.`)
    }
  }
}

function emitWarning(message: string, detail?: string): void {
  process.emitWarning(message, { type: 'CometWarning', ...(detail === undefined ? {} : { detail }) })
}

/** Reads the stack. An app may have replaced it, by a getter too. */
function stackOf(error: Error): string | undefined {
  try {
    return typeof error.stack === 'string' ? error.stack : undefined
  } catch {
    return undefined
  }
}
