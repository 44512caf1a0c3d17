import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from '../support/reset.ts'

/** The state of a path. */
type State =
  | 'open'
  /** Connections break, and new ones break at once. */
  | 'broken'
  /** Nothing is read or forwarded, and nobody is told. */
  | 'silent'
  /** What the node sends arrives, and what the server answers is lost. */
  | 'deaf'

/** One node's path to a server, such as Redis: a proxy that delays, cuts and heals. */
export class ServerPath {
  /** How long everything takes in each direction, in milliseconds. */
  delay = 0
  readonly #server: Server
  readonly #port: number
  readonly #links = new Set<Link>()
  #state: State = 'open'

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async to(port: number): Promise<ServerPath> {
    const server = createServer({ noDelay: true })
    const path = new ServerPath(server, port)
    server.unref()
    server.on('connection', (near) => path.#accept(near))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return path
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Breaks all connections. */
  cut(): void {
    this.#set('broken')
  }

  /** Forwards nothing any more: what is sent stays where it is. */
  stall(): void {
    this.#set('silent')
  }

  /** Loses the answers of the server from now on. Cut the path after it: what was lost is not sent again. */
  swallow(): void {
    this.#set('deaf')
  }

  heal(): void {
    this.#set('open')
  }

  close(): void {
    this.#server.close()
    for (const link of this.#links) link.destroy()
  }

  #set(state: State): void {
    this.#state = state
    for (const link of this.#links) {
      if (state === 'broken') link.destroy()
      else link.set(state)
    }
  }

  #accept(near: Socket): void {
    near.on('error', () => {})
    if (this.#state === 'broken') {
      reset(near)
      return
    }
    const link = new Link(near, connect({ port: this.#port, host: '127.0.0.1', noDelay: true }), this)
    link.set(this.#state)
    this.#links.add(link)
    near.once('close', () => this.#links.delete(link))
  }
}

/** One connection. */
class Link {
  readonly #near: Socket
  readonly #far: Socket
  readonly #path: { readonly delay: number }
  #isDeaf = false

  constructor(near: Socket, far: Socket, path: { readonly delay: number }) {
    this.#near = near
    this.#far = far
    this.#path = path
    this.#forward(near, far)
    this.#forward(far, near)
  }

  set(state: Exclude<State, 'broken'>): void {
    this.#isDeaf = state === 'deaf'
    for (const socket of [this.#near, this.#far]) {
      if (state === 'silent') socket.pause()
      else socket.resume()
    }
  }

  destroy(): void {
    this.#near.destroy()
    this.#far.destroy()
  }

  #forward(from: Socket, to: Socket): void {
    // Each timer runs the oldest action, so that the order stays, also when the delay becomes shorter.
    const actions: (() => void)[] = []
    let due = 0
    const later = (action: () => void) => {
      const now = performance.now()
      due = Math.max(due, now + this.#path.delay)
      if (actions.length === 0 && due <= now) {
        action()
        return
      }
      actions.push(action)
      setTimeout(() => actions.shift()?.(), due - now)
    }
    from.on('data', (bytes) => {
      if (this.#isDeaf && from === this.#far) return
      later(() => !to.destroyed && to.write(bytes))
    })
    from.on('error', () => {})
    from.on('close', () => later(() => to.destroy()))
  }
}
