import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from './random.ts'

/** What may befall a connection on its way, at any byte of what the server sends. */
const FAULTS = {
  /** Nothing is forwarded for a while. */
  stall: 5,
  /** Both sides see it break. */
  reset: 3,
  /** The client sees a clean end, the server nothing for a while. */
  end: 3,
  /** The client sees it break, the server nothing for a while. */
  lostByServer: 3,
  /** The server sees it break, the client nothing for a while. */
  lostByClient: 3,
  /** The server sees the client end its side. */
  halfClose: 1,
} as const

type Fault = keyof typeof FAULTS | 'request'

/** As often as their weights say. */
const CHOICES = Object.entries(FAULTS).flatMap(([fault, weight]) => Array(weight).fill(fault) as Fault[])

/** How long one side may not see what the other one does. */
const LONGEST_MS = 800

/** A way to a local server through bad weather. */
export class RoughProxy {
  readonly random: Random
  /** How often each fault befell a connection. */
  readonly faults: Record<Fault, number> = {
    stall: 0,
    reset: 0,
    end: 0,
    lostByServer: 0,
    lostByClient: 0,
    halfClose: 0,
    request: 0,
  }
  /** While true, faults happen. */
  raging = false
  readonly #server: Server
  readonly #links = new Set<Link>()

  private constructor(server: Server, random: Random) {
    this.#server = server
    this.random = random
  }

  static async to(port: number, random: Random): Promise<RoughProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const proxy = new RoughProxy(server, random)
    server.on('connection', (near) => {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      const link = new Link(proxy, near, far, () => proxy.#links.delete(link))
      proxy.#links.add(link)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many connections were cut. */
  get cuts(): number {
    const { stall, ...cuts } = this.faults
    return Object.values(cuts).reduce((sum, each) => sum + each, 0)
  }

  /** Whether nothing that befell a connection has yet to take effect. */
  get isCalm(): boolean {
    return Array.from(this.#links).every(({ isCalm }) => isCalm)
  }

  close(): void {
    this.#server.close()
    for (const link of this.#links) link.destroy()
  }
}

/** One connection through the proxy: the client is near, the server far. */
class Link {
  readonly #proxy: RoughProxy
  readonly #near: Socket
  readonly #far: Socket
  readonly #timers = new Set<NodeJS.Timeout>()
  /** How many bytes pass before something happens. */
  #left: { down: number; up: number }
  /** The sides from which nothing is forwarded for a while: to go on early would mix up the order. */
  readonly #stalled = new Set<Socket>()
  /** Nothing is forwarded any more. */
  #broken = false

  constructor(proxy: RoughProxy, near: Socket, far: Socket, onGone: () => void) {
    this.#proxy = proxy
    this.#near = near
    this.#far = far
    const { random } = proxy
    this.#left = { down: this.#stretch(), up: random.chance(0.1) ? random.int(0, 300) : Infinity }
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
        if (near.destroyed && far.destroyed) onGone()
      })
    }
  }

  get isCalm(): boolean {
    return this.#timers.size === 0
  }

  destroy(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#near.destroy()
    this.#far.destroy()
  }

  /** Often amid the head and `comet.ready`, mostly after some events, sometimes after a long time. */
  #stretch(): number {
    const { random } = this.#proxy
    return random.int(0, random.pick([600, 6_000, 6_000, 6_000, 20_000, 300_000]))
  }

  #forward(from: Socket, to: Socket, bytes: Buffer, way: 'down' | 'up'): void {
    if (this.#broken || to.destroyed || to.writableEnded) return
    const left = this.#left[way]
    if (!this.#proxy.raging || left > bytes.length) {
      if (this.#proxy.raging) this.#left[way] -= bytes.length
      if (!to.write(bytes)) from.pause()
      return
    }
    this.#left[way] = way === 'down' ? this.#stretch() : Infinity
    to.write(bytes.subarray(0, left))
    const fault = way === 'up' ? 'request' : this.#proxy.random.pick(CHOICES)
    this.#proxy.faults[fault] += 1
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

  /** One side went by itself: the other one sees it at once or, as when a phone loses its network, later. */
  #lose(gone: Socket, other: Socket): void {
    const { random, raging } = this.#proxy
    this.#broken = true
    if (gone === this.#near && raging && random.chance(0.5)) this.#later(() => other.destroy())
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

/** A socket that is about to end cannot be reset any more: libuv refuses, and the process would never exit. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
