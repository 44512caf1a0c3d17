import { setTimeout as sleep } from 'node:timers/promises'

/** A factor for slow machines: the environment's COMET_TEST_PATIENCE multiplies every time that a test may wait. */
const FACTOR = Number(process.env.COMET_TEST_PATIENCE || 1)

/** A time that a test may wait, in milliseconds, on this machine. Not for times that a test measures or sets. */
export function scaled(ms: number): number {
  return ms * FACTOR
}

/** How long anything may take that a test waits for. Reached only when the test fails. */
export const PATIENCE_MS = scaled(5_000)

/** Items that arrive one by one and are awaited in order. */
export class Inbox<Item> {
  /** Everything that has arrived, whether it was awaited or not. */
  readonly all: Item[] = []
  readonly #describe: (item: Item) => string
  readonly #waiting = new Set<() => void>()
  #cursor = 0
  #over: Error | undefined

  constructor(describe: (item: Item) => string = (item) => JSON.stringify(item)) {
    this.#describe = describe
  }

  push(item: Item): void {
    this.all.push(item)
    for (const wake of this.#waiting) wake()
  }

  /** Marks the end: nothing more arrives, and all who wait for more are rejected. */
  end(reason = 'the stream is over'): void {
    this.#over ??= new Error(reason)
    for (const wake of this.#waiting) wake()
  }

  /** The next item that fits. Items that do not fit are skipped. */
  next(fits: (item: Item) => boolean = () => true, what = 'item', patience = PATIENCE_MS): Promise<Item> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        settle()
        reject(
          new Error(`No ${what}: ${why}. Seen: ${this.all.map(this.#describe).join(' | ') || 'nothing'}`),
        )
      }
      const wake = () => {
        while (this.#cursor < this.all.length) {
          const item = this.all[this.#cursor] as Item
          this.#cursor += 1
          if (!fits(item)) continue
          settle()
          resolve(item)
          return
        }
        if (this.#over !== undefined) fail(this.#over.message)
      }
      const timer = setTimeout(() => fail(`none within ${patience} ms`), patience)
      const settle = () => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
      }
      this.#waiting.add(wake)
      wake()
    })
  }
}

/**
 * Waits until a condition holds that has no event of its own.
 *
 * @param what the condition in words. Default: its source
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string) = String(holds),
  patience = PATIENCE_MS,
): Promise<void> {
  const end = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`Not ${typeof what === 'string' ? what : what()} in ${patience} ms`)
    await sleep(5)
  }
}

/** Rejects when a promise does not settle in time, so that the failure says what the test waited for. */
export async function within<T>(promise: Promise<T>, what: string, patience = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${patience} ms`)), patience)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Lets calls wait until a test opens it. */
export class Gate {
  readonly #waiting = new Inbox<() => void>(() => 'a call')
  #open = false

  /** Settles once the gate is open. */
  async pass(): Promise<void> {
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Settles when the next call waits here. */
  async arrival(): Promise<void> {
    await this.#waiting.next(undefined, 'call that waits')
  }

  /** Lets all calls continue, those that wait and those that come later. */
  open(): void {
    this.#open = true
    for (const goOn of this.#waiting.all) goOn()
  }
}
