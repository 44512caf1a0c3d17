import { checkOrder } from './check-order.ts'
import { checkPage } from './check-pages.ts'
import { checkHooks, checkRecord } from './check-presence.ts'
import type { Observations } from './observations.ts'

/**
 * Judges a run of a cluster: what its nodes were delivered, the record of presence, what hooks were told, and what pages
 * got. `test/cluster/observations.ts` says what is known of a run.
 *
 * @returns what is wrong, in words
 */
export function judge(observations: Observations): string[] {
  const problems: string[] = []
  const fail = (problem: string) => problems.push(problem)
  const order = checkOrder(observations, fail)
  checkRecord(observations, fail)
  checkHooks(observations, fail)
  for (const page of observations.pages) checkPage(page, order, observations, fail)
  return problems
}
