/** A timer that fires later than this shows that the process stood still or was busy, in milliseconds. */
export const LATE_MS = 200

/**
 * Waits for a peer, as `setTimeout` does. When the process itself stood still (a stopped process, a VM that was moved,
 * a long garbage collection), what the peer sent meanwhile is not read yet: then it waits once more.
 */
export function patientTimeout(call: () => void, milliseconds: number): NodeJS.Timeout {
  const due = performance.now() + milliseconds
  let isPatient = true
  const timer = setTimeout(() => {
    if (isPatient && performance.now() > due + LATE_MS) timer.refresh()
    else call()
    isPatient = false
  }, milliseconds)
  return timer
}
