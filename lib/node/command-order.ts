/**
 * Lets the commands of each sender wait for the events that it had before them, and keeps their order meanwhile: the
 * controller may be quicker than a broker of another product.
 */
export class CommandOrder {
  /** The last command that waits, by its sender. */
  readonly #waiting = new Map<string, Promise<void>>()

  /**
   * Waits for a command's turn.
   *
   * @param reach waits for the events, if they have not come. Must not reject
   * @returns undefined when it may be carried out at once
   */
  turnOf(sender: string, reach: (() => Promise<void>) | undefined): Promise<void> | undefined {
    const former = this.#waiting.get(sender)
    if (former === undefined && reach === undefined) return undefined
    const turn = Promise.resolve(former)
      .then(reach)
      .then(() => {
        if (this.#waiting.get(sender) === turn) this.#waiting.delete(sender)
      })
    this.#waiting.set(sender, turn)
    return turn
  }
}
