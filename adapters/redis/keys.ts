/** How long a namespace stays in Redis that no node uses any more, in milliseconds. Nodes renew it while they live. */
export const KEY_TTL_MS = 3_600_000

/**
 * The format of what is stored. A node refuses a namespace with a higher number than its own. To raise it, every node
 * must be stopped: what a node only adds, such as a field that others ignore, does not change it.
 */
export const FORMAT = 1

/**
 * The keys of a namespace. All begin with `comet:{<namespace>}:`, so that they lie in one slot of a cluster, and one
 * pattern (`comet:*`) covers them in an access control list.
 */
export class Keys {
  /** What all keys begin with. */
  readonly prefix: string
  /** Hash: the format, the order's epoch and end, and the settings of the history. */
  readonly meta: string
  /** Stream: what was published, in batches. */
  readonly events: string
  /** List: places in the stream, each with the bytes before it, by which it is trimmed. */
  readonly marks: string
  /** Hash: the number and the answer of the last call of each node and kind. */
  readonly calls: string
  /** Sorted set: the nodes by the time of their last call, in milliseconds, so that what they left can be removed. */
  readonly callers: string
  /** Sorted set: the nodes by the end of their lease, in milliseconds of the clock of Redis. */
  readonly nodes: string

  constructor(namespace: string) {
    this.prefix = `comet:{${encode(namespace)}}:`
    this.meta = this.of('meta')
    this.events = this.of('events')
    this.marks = this.of('marks')
    this.calls = this.of('calls')
    this.callers = this.of('callers')
    this.nodes = this.of('nodes')
  }

  of(name: string): string {
    return this.prefix + name
  }

  /** Stream: the commands and answers for a node. */
  inbox(node: string): string {
    return this.of(`inbox:${node}`)
  }
}

/** A brace would end the part of the key that decides on the slot, and is needed to tell namespaces apart. */
function encode(namespace: string): string {
  return namespace.replace(/[%{}]/g, encodeURIComponent)
}
