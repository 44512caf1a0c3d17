/** The nodes that joined a port, by namespace and id. */
export class Namespaces<Node extends { readonly id: string; readonly namespace: string }> {
  readonly #nodes = new Map<string, Map<string, Node>>()

  /** Adds a node. @returns a function that removes it; idempotent */
  join(node: Node): () => void {
    const nodes = this.#nodes.get(node.namespace) ?? new Map<string, Node>()
    this.#nodes.set(node.namespace, nodes.set(node.id, node))
    return () => {
      nodes.delete(node.id)
      if (nodes.size === 0 && this.#nodes.get(node.namespace) === nodes) this.#nodes.delete(node.namespace)
    }
  }

  get(namespace: string, id: string): Node | undefined {
    return this.#nodes.get(namespace)?.get(id)
  }

  of(namespace: string): Iterable<Node> {
    return this.#nodes.get(namespace)?.values() ?? []
  }
}
