import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from './random.ts'
import { reset } from './reset.ts'

/** The faults of a connection, at any byte that the server sends, and how often each is chosen. */
const FAULTS = {
  /** Nothing is forwarded for a while. */
  stall: 5,
  /** Both sides see the connection break. */
  reset: 3,
  /** The client sees a clean end, the server nothing for a while. */
  end: 3,
  /** The client sees the connection break, the server nothing for a while. */
  lostByServer: 3,
  /** The server sees the connection break, the client nothing for a while. */
  lostByClient: 3,
  /** The server sees the client end its side. */
  halfClose: 1,
} as const

type ServedFault = keyof typeof FAULTS
/** `request`: the connection breaks within the client's request. */
type Fault = ServedFault | 'request'

const KINDS = Object.keys(FAULTS) as ServedFault[]
const CHOICES = KINDS.flatMap((fault) => Array<ServedFault>(FAULTS[fault]).fill(fault))

/** How long one side may not see what the other side does. */
const LONGEST_MS = 800

/** A tenth of the connections break within the request. */
const REQUESTS = 10
/** Every request is longer than this. */
const REQUEST_BYTES = 100

/** Forwards connections to a local server, and disturbs them. */
export class FaultyProxy {
  readonly random: Random
  /** How often each fault happened. */
  readonly faults: Record<Fault, number> = {
    stall: 0,
    reset: 0,
    end: 0,
    lostByServer: 0,
    lostByClient: 0,
    halfClose: 0,
    request: 0,
  }
  readonly #server: Server
  readonly #links = new Set<Link>()
  /** The connections that have yet to suffer the fault that is certain for each. */
  readonly #due = new Set<Link>()
  #disturbs = false
  #accepted = 0

  private constructor(server: Server, random: Random) {
    this.#server = server
    this.random = random
  }

  static async to(port: number, random: Random): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const proxy = new FaultyProxy(server, random)
    server.on('connection', (near) => proxy.#accept(near, port))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Whether faults happen. */
  get disturbs(): boolean {
    return this.#disturbs
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#links.size
  }

  /** Whether every connection that was open when the faults began has suffered one. */
  get hasHitAll(): boolean {
    return this.#due.size === 0
  }

  /** Whether nothing is delayed, and both sides of every connection are open. */
  get isCalm(): boolean {
    return Array.from(this.#links).every(({ isCalm }) => isCalm)
  }

  /**
   * Begins to disturb. Every open connection suffers a fault after its next bytes, and the kinds take turns, so that
   * each of them happens for certain. All later faults are random.
   */
  begin(): void {
    this.#disturbs = true
    let index = 0
    for (const link of this.#links) {
      link.doom(KINDS[index % KINDS.length] as ServedFault)
      this.#due.add(link)
      index += 1
    }
  }

  /** Begins no more faults. Those that are under way go on for up to a second. */
  end(): void {
    this.#disturbs = false
  }

  close(): void {
    this.#server.close()
    for (const link of this.#links) link.destroy()
  }

  #accept(near: Socket, port: number): void {
    this.#accepted += 1
    const breaksRequest = this.#accepted % REQUESTS === 0
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const link: Link = new Link(this, near, far, breaksRequest, {
      onFault: (fault) => {
        this.faults[fault] += 1
        this.#due.delete(link)
      },
      onGone: () => {
        this.#links.delete(link)
        this.#due.delete(link)
      },
    })
    this.#links.add(link)
  }
}

interface LinkListener {
  onFault(fault: Fault): void
  /** Both sides are closed. */
  onGone(): void
}

/** One connection through the proxy: the client is near, the server far. */
class Link {
  readonly #proxy: FaultyProxy
  readonly #near: Socket
  readonly #far: Socket
  readonly #listener: LinkListener
  readonly #timers = new Set<NodeJS.Timeout>()
  /** The number of bytes until the next fault, by direction. */
  #left: { down: number; up: number }
  /** The fault that comes next, if it is certain. */
  #next: ServedFault | undefined
  /** The sides from which nothing is forwarded for a while. To resume one early would change the order of bytes. */
  readonly #stalled = new Set<Socket>()
  /** Nothing is forwarded any more. */
  #broken = false

  constructor(proxy: FaultyProxy, near: Socket, far: Socket, breaksRequest: boolean, listener: LinkListener) {
    this.#proxy = proxy
    this.#near = near
    this.#far = far
    this.#listener = listener
    this.#left = { down: this.#stretch(), up: breaksRequest ? proxy.random.int(0, REQUEST_BYTES) : Infinity }
    near.on('data', (bytes) => this.#forward(near, far, bytes, 'up'))
    far.on('data', (bytes) => this.#forward(far, near, bytes, 'down'))
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('drain', () => {
        if (!this.#stalled.has(other)) other.resume()
      })
      socket.on('end', () => this.#unlessBroken(() => other.end()))
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#unlessBroken(() => this.#lose(socket, other))
        if (near.destroyed && far.destroyed) listener.onGone()
      })
    }
  }

  get isCalm(): boolean {
    return this.#timers.size === 0 && !this.#near.destroyed && !this.#far.destroyed
  }

  /** Decides on the next fault, which comes soon. */
  doom(fault: ServedFault): void {
    this.#next = fault
    this.#left.down = this.#proxy.random.int(0, 600)
  }

  destroy(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#near.destroy()
    this.#far.destroy()
  }

  /** Often within the head and `comet.ready`, mostly after some events, sometimes after a long time. */
  #stretch(): number {
    const { random } = this.#proxy
    return random.int(0, random.pick([600, 6_000, 6_000, 6_000, 20_000, 300_000]))
  }

  #forward(from: Socket, to: Socket, bytes: Buffer, way: 'down' | 'up'): void {
    if (this.#broken || to.destroyed || to.writableEnded) return
    const left = this.#left[way]
    if (!this.#proxy.disturbs || left > bytes.length) {
      if (this.#proxy.disturbs) this.#left[way] -= bytes.length
      if (!to.write(bytes)) from.pause()
      return
    }
    this.#left[way] = way === 'down' ? this.#stretch() : Infinity
    to.write(bytes.subarray(0, left))
    const fault = way === 'up' ? 'request' : (this.#next ?? this.#proxy.random.pick(CHOICES))
    if (way === 'down') this.#next = undefined
    this.#listener.onFault(fault)
    if (fault !== 'stall' && fault !== 'halfClose') {
      this.#break(fault)
      return
    }
    const rest = bytes.subarray(left)
    if (fault === 'halfClose') {
      from.end()
      to.write(rest)
      return
    }
    from.pause()
    this.#stalled.add(from)
    this.#later(() => {
      this.#stalled.delete(from)
      from.resume()
      this.#forward(from, to, rest, way)
    })
  }

  #break(fault: Fault): void {
    const [near, far] = [this.#near, this.#far]
    this.#broken = true
    near.pause()
    far.pause()
    if (fault === 'end') near.end()
    if (fault === 'lostByServer' || fault === 'reset') reset(near)
    if (fault === 'lostByClient' || fault === 'reset' || fault === 'request') reset(far)
    this.#later(() => {
      reset(near)
      reset(far)
    })
  }

  /** One side closed. The other side sees it at once or, as when a phone loses its network, later. */
  #lose(gone: Socket, other: Socket): void {
    const { random, disturbs } = this.#proxy
    this.#broken = true
    if (gone === this.#near && disturbs && random.chance(0.5)) this.#later(() => other.destroy())
    else other.destroySoon()
  }

  #unlessBroken(action: () => void): void {
    if (!this.#broken) action()
  }

  #later(action: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        action()
      },
      this.#proxy.random.int(0, LONGEST_MS),
    )
    this.#timers.add(timer)
  }
}
