/** A timer that fires later than this shows that the process stood still or was busy, in milliseconds. */
export const LATE_MS = 200

/** A timer that runs. There may be one for each session in grace, so it is one small object without a closure. */
interface Wait<T> {
  readonly call: (argument: T) => void
  readonly argument: T
  /** When it should fire, in whole milliseconds on the clock of `performance.now()`. */
  readonly due: number
  timer: NodeJS.Timeout | undefined
  isPatient: boolean
}

/**
 * Waits for a peer, as `setTimeout` does. When the process itself stood still (a stopped process, a VM that was moved,
 * a long garbage collection), what the peer sent meanwhile is not read yet: then it waits once more.
 */
export function patientTimeout<T>(
  call: (argument: T) => void,
  milliseconds: number,
  argument: T,
): NodeJS.Timeout {
  const due = Math.ceil(performance.now() + milliseconds)
  const wait: Wait<T> = { call, argument, due, timer: undefined, isPatient: true }
  wait.timer = setTimeout(onTimeout<T>, milliseconds, wait)
  return wait.timer
}

function onTimeout<T>(wait: Wait<T>): void {
  const waitsOnce = wait.isPatient && performance.now() > wait.due + LATE_MS
  wait.isPatient = false
  if (waitsOnce) wait.timer?.refresh()
  else wait.call(wait.argument)
}
