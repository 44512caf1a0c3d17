import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a condition holds. Looks often, gives up after `limit` milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, limit = 5_000): Promise<void> {
  const deadline = performance.now() + limit
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`It did not come to pass within ${limit} ms: ${condition}`)
    await sleep(2)
  }
}
