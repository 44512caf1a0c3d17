/** The nodes that joined a port, by namespace and id. */
export class Namespaces<Member extends { readonly id: string; readonly namespace: string }> {
  readonly #nodes = new Map<string, Map<string, Member>>()

  /** Adds a node. @returns a function that removes it; idempotent */
  join(node: Member): () => void {
    const nodes = this.#nodes.get(node.namespace) ?? new Map<string, Member>()
    this.#nodes.set(node.namespace, nodes.set(node.id, node))
    return () => {
      nodes.delete(node.id)
      // A later join may have made a new Map for the namespace.
      if (nodes.size === 0 && this.#nodes.get(node.namespace) === nodes) this.#nodes.delete(node.namespace)
    }
  }

  get(namespace: string, id: string): Member | undefined {
    return this.#nodes.get(namespace)?.get(id)
  }

  of(namespace: string): Iterable<Member> {
    return this.#nodes.get(namespace)?.values() ?? []
  }
}
