import { CometError } from '../errors.ts'
import type { TargetLimits } from '../history/target-history.ts'
import type { Hooks } from '../hooks/hooks.ts'
import { checkLimits, type ResolvedOptions } from '../options.ts'
import type { Target } from '../protocol/target.ts'
import { kindOf } from '../util/kind-of.ts'

/** The part of the node that the policy uses. */
export interface PolicyContext {
  readonly options: Pick<ResolvedOptions, 'keepHistory' | 'historyEvents' | 'historyAge'>
  readonly hooks: Pick<Hooks, 'report' | 'reportIfRejected'>
}

/** Decides how much of a target the history stores, as the app's option `keepHistory` says. */
export class HistoryPolicy {
  readonly #context: PolicyContext
  readonly #limits: TargetLimits

  constructor(context: PolicyContext) {
    const { historyEvents: events, historyAge: age } = context.options
    this.#context = context
    this.#limits = { events, age }
  }

  /**
   * Asks the app, about users, rooms and the world. Never throws: what it throws, and a wrong answer, is reported.
   *
   * @returns undefined when nothing is stored
   */
  limitsOf(target: Target): TargetLimits | undefined {
    const { options, hooks } = this.#context
    const { keepHistory } = options
    const { uid, rid, sid } = target
    if (keepHistory === undefined || sid !== undefined) return this.#limits
    try {
      const answer: unknown = keepHistory(uid !== undefined ? { uid } : rid !== undefined ? { rid } : {})
      if (answer === true) return this.#limits
      if (answer === false) return undefined
      // An async `keepHistory` returns a promise, which is truthy; it must not count as a yes.
      hooks.reportIfRejected(answer)
      if (typeof answer === 'object' && answer !== null) return checkLimits(answer, this.#limits)
      throw new CometError(
        'INVALID_OPTION',
        `keepHistory answered ${kindOf(answer)}, not a boolean or limits.`,
      )
    } catch (error) {
      hooks.report(error)
      return undefined
    }
  }
}
