import { patientTimeout } from '../util/patient-timeout.ts'

/**
 * How many streams this node has ended for each `disconnect` that all nodes were told, until the node that calls it asks.
 */
export class Disconnections {
  readonly #counts = new Map<string, Promise<number>>()

  /** @param age how long the node that calls it may take to ask, in milliseconds */
  keep(call: string, count: Promise<number>, age: number): void {
    this.#counts.set(call, count)
    patientTimeout((key: string) => this.#counts.delete(key), age, call).unref()
  }

  /** @returns 0 for a call that is not known */
  async take(call: string): Promise<number> {
    const count = this.#counts.get(call)
    this.#counts.delete(call)
    return (await count) ?? 0
  }
}
