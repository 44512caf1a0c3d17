/** The time between two checks, in milliseconds. */
const CHECK = 5_000

/** After so many silent heartbeat intervals a stream counts as dead. */
const SILENT_INTERVALS = 2.5

/** What is taken for the interval of a server that sends no heartbeats, in milliseconds. */
const DEFAULT_INTERVAL = 15_000

/** Notices a stream that is silently dead. */
export interface Watchdog {
  /** Begins to watch. @param interval the time between two heartbeats, in milliseconds. 0: there are none */
  start(interval: number): void
  stop(): void
  /** Bytes have come. */
  markAlive(): void
  /** How long nothing has come, in milliseconds. */
  silence(): number
  /** Tells whether nothing came for longer than a heartbeat interval. */
  isSilent(): boolean
}

/**
 * Makes a watchdog. It goes by the wall clock, because monotonic clocks stand still while a laptop sleeps, and by the
 * monotonic one, because the wall clock may be set.
 *
 * @param onDead nothing came for too long
 * @param onDoubt the process or its machine stood still, so the silence may be its own: the server must be asked
 */
export function createWatchdog(onDead: () => void, onDoubt: () => void): Watchdog {
  let timer: ReturnType<typeof setInterval> | undefined
  let interval = 0
  let seen = moment()
  let checked = seen
  const check = () => {
    const isLate = since(checked) > 2 * CHECK
    checked = moment()
    if (since(seen) <= SILENT_INTERVALS * interval) return
    if (!isLate) return onDead()
    // What came meanwhile may not be read yet. For a heartbeat one more interval is enough.
    const spared = (SILENT_INTERVALS - 1) * interval
    seen = checked.map((time) => time - spared)
    onDoubt()
  }
  const stop = () => clearInterval(timer)
  return {
    start(its) {
      stop()
      interval = its
      seen = checked = moment()
      if (its > 0) timer = setInterval(check, CHECK)
    },
    stop,
    markAlive() {
      seen = moment()
    },
    silence: () => since(seen),
    isSilent: () => since(seen) > (interval || DEFAULT_INTERVAL),
  }
}

/** Reads both clocks, in milliseconds. */
function moment(): readonly number[] {
  return [Date.now(), performance.now()]
}

/** The time since a moment, by the clock on which it is longer. */
function since(then: readonly number[]): number {
  return Math.max(...moment().map((time, clock) => time - (then[clock] ?? 0)))
}
