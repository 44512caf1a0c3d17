import { CometError, isCometError } from '../errors.ts'
import type { Hooks } from '../hooks/hooks.ts'
import type { PortStatus } from '../ports/status.ts'

/** The name of a port whose state an app can watch. */
export type PortName = 'broker' | 'presence' | 'controller'

/** Whether the ports can be reached, as in `comet.stats().ports`. */
export interface PortsInfo extends Readonly<Record<PortName, 'up' | 'down'>> {
  /** When the latest of them changed, in milliseconds since January 1, 1970 UTC. */
  readonly since: number
}

/** Whether each port can be reached. Tells the app when one goes away, and when it is back. */
export class PortStates {
  readonly #hooks: Hooks
  readonly #states: Record<PortName, 'up' | 'down'> = { broker: 'up', presence: 'up', controller: 'up' }
  /** The calls that were rejected since a port went away. */
  readonly #rejected: Partial<Record<PortName, number>> = {}
  #since = Date.now()

  constructor(hooks: Hooks) {
    this.#hooks = hooks
  }

  get info(): PortsInfo {
    return { ...this.#states, since: this.#since }
  }

  isUp(port: PortName): boolean {
    return this.#states[port] === 'up'
  }

  /**
   * Takes what a port tells. `'status'` hears when each port goes away and when it is back. `'error'` hears of the first
   * one of an outage only: mostly the others go away with it, because all of them use the same server.
   */
  set(port: PortName, { up, error }: PortStatus): void {
    if (this.isUp(port) === up) return
    const isFirst = !Object.values(this.#states).includes('down')
    this.#states[port] = up ? 'up' : 'down'
    this.#since = Date.now()
    if (up) {
      const rejected = this.#rejected[port] ?? 0
      this.#hooks.emit('status', { port, up, rejected })
      return
    }
    this.#rejected[port] = 0
    const failure = new CometError(
      'UNAVAILABLE',
      `The ${port} cannot be reached: ${error?.message ?? 'no answer'}`,
      {
        cause: error,
      },
    )
    if (isFirst) this.#hooks.report(failure)
    this.#hooks.emit('status', { port, up, error: failure })
  }

  /** Reports a failed call of a port. While the port is away, that was reported once, and only callers are told. */
  reportFailure(port: PortName, error: unknown): void {
    if (!this.#countRejection(port)) this.#hooks.report(error)
  }

  /** Reports the rejection of a `publish` whose promise the app also holds. As {@link reportFailure}. */
  readonly reportRejectedPublish = (error: unknown): void => {
    const isOutage = isCometError(error) && (error.code === 'UNAVAILABLE' || error.code === 'SHUTTING_DOWN')
    const isAway = isOutage && this.#countRejection('broker')
    if (isAway) this.#hooks.leaveToCaller(error)
    else this.#hooks.reportRejection(error)
  }

  #countRejection(port: PortName): boolean {
    if (this.isUp(port)) return false
    this.#rejected[port] = (this.#rejected[port] ?? 0) + 1
    return true
  }
}
