import {
  type Broker,
  type BrokerConnection,
  type BrokerHandler,
  CometError,
  type Delivery,
  type Envelope,
  MemoryBroker,
  type PortStatus,
} from '../../lib/index.ts'

/** One node on a {@link SharedLog}. */
export interface LogNode {
  /** Reaches the broker: restores what the log has, and delivers from there on. */
  reach(): void
  /** Holds deliveries back, like a node that lags. */
  hold(): void
  /** Delivers what was held back, or the first `count` events of it. */
  release(count?: number): void
  /** Tells the node that the broker went away, or is back. While it is away, publishing is refused. */
  tell(status: PortStatus): void
}

/**
 * A broker like one behind a network: it is reached late, its nodes lag, and it may lose events. Presence and controller
 * are those of one process.
 */
export class SharedLog implements Broker {
  readonly presence
  readonly controller
  /** In the order in which they joined. */
  readonly nodes: LogNode[] = []
  readonly #log: Delivery[] = []
  readonly #isReachedAtOnce: boolean
  #epoch = 1
  readonly #changed = new Set<() => void>()

  constructor(options: { readonly isReachedAtOnce?: boolean } = {}) {
    const { presence, controller } = new MemoryBroker()
    this.presence = presence
    this.controller = controller
    this.#isReachedAtOnce = options.isReachedAtOnce ?? true
  }

  /** Loses all events, those that were not delivered yet included, and begins a new order. */
  lose(): void {
    this.#log.length = 0
    this.#epoch += 1
    this.#change()
  }

  join(handler: BrokerHandler): BrokerConnection {
    let [isReached, isHeld, isAway, next, epoch] = [false, false, false, 0, this.#epoch]
    let allowed = 0
    let settleReady: () => void = () => {}
    const ready = new Promise<void>((resolve) => {
      settleReady = resolve
    })
    const position = () => (isReached ? `${epoch}.${next}` : undefined)
    const advance = () => {
      if (isReached && epoch !== this.#epoch) {
        epoch = this.#epoch
        next = 0
        handler.begin(`${epoch}.0`)
      }
      while (isReached && next < this.#log.length && (!isHeld || allowed > 0)) {
        allowed -= 1
        const delivery = this.#log[next] as Delivery
        next += 1
        handler.deliver(delivery)
      }
    }
    const node: LogNode = {
      reach: () => {
        epoch = this.#epoch
        handler.begin(`${epoch}.0`)
        for (const delivery of this.#log) handler.restore(delivery, 0)
        next = this.#log.length
        isReached = true
        settleReady()
      },
      hold: () => {
        isHeld = true
        allowed = 0
      },
      release: (count) => {
        if (count === undefined) isHeld = false
        else allowed = count
        this.#change()
      },
      tell: (status) => {
        isAway = !status.up
        handler.onStatus(status)
      },
    }
    this.nodes.push(node)
    this.#changed.add(advance)
    if (this.#isReachedAtOnce) {
      isReached = true
      next = this.#log.length
      settleReady()
    }
    const compare = (a: string, b: string) => {
      const [first, second] = [a, b].map((text) => {
        const [itsEpoch, index] = text.split('.').map(Number)
        return itsEpoch === epoch && Number(index) <= next ? index : undefined
      })
      return first === undefined || second === undefined ? undefined : first - second
    }
    const waitFor = (isThere: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!isThere()) return
          this.#changed.delete(check)
          resolve()
        }
        this.#changed.add(check)
        check()
      })
    let pending: Promise<void> | undefined
    return {
      ready,
      position,
      compare,
      reach: async (text) => {
        const [itsEpoch, index] = text.split('.').map(Number)
        if (itsEpoch === this.#epoch && Number(index) <= this.#log.length) {
          await waitFor(() => next >= Number(index))
        }
      },
      publish: (envelope: Envelope) => {
        if (isAway) return Promise.reject(new CometError('UNAVAILABLE', 'The broker is away.'))
        this.#log.push({ position: `${this.#epoch}.${this.#log.length + 1}`, ...envelope })
        const index = this.#log.length
        const published = waitFor(() => next >= index)
        pending = published
        published.then(() => {
          if (pending === published) pending = undefined
        })
        this.#change()
        return published
      },
      published: () => pending,
      close: async () => void this.#changed.delete(advance),
    }
  }

  #change(): void {
    for (const advance of Array.from(this.#changed)) advance()
  }
}
