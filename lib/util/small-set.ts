/** A set that rarely has more than one member. It allocates a `Set` when the second member is added. */
export class SmallSet<T extends object> {
  private one: T | undefined
  private all: Set<T> | undefined

  get size(): number {
    return this.all?.size ?? (this.one === undefined ? 0 : 1)
  }

  /** The members, in the order they were added. */
  get members(): Iterable<T> {
    return this.all ?? (this.one === undefined ? [] : [this.one])
  }

  add(member: T): void {
    if (this.all !== undefined) this.all.add(member)
    else if (this.one === undefined) this.one = member
    else if (this.one !== member) this.all = new Set([this.one, member])
  }

  delete(member: T): void {
    if (this.all !== undefined) this.all.delete(member)
    else if (this.one === member) this.one = undefined
  }
}
