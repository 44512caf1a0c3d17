/** What this node could not ask presence, or was not answered, and does as soon as presence can be reached again: each thing once. */
export class Postponed {
  readonly #tasks = new Map<string, () => Promise<unknown>>()

  /** @param key names what is asked: a later task takes the place of an earlier one with the same key */
  add(key: string, task: () => Promise<unknown>): void {
    this.#tasks.set(key, task)
  }

  /** Presence can be reached: runs the tasks. One that fails is to be added again by whoever made it. */
  run(): void {
    const tasks = Array.from(this.#tasks.values())
    this.#tasks.clear()
    for (const task of tasks) task().catch(() => {})
  }
}
