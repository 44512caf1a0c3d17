import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from './reset.ts'

/** How a client sees the end of its connection: as a clean end, or as a reset. */
export type CutKind = 'end' | 'reset'

/** A cut in the stream that a client reads. */
export interface Cut {
  readonly kind: CutKind
  /**
   * Decides on the place.
   *
   * @param body the bytes of the stream that the server has sent so far, each as one character
   * @returns how many of them the client gets. Undefined: nothing is cut yet
   */
  readonly at: (body: string) => number | undefined
}

interface Plan {
  /** The cuts of the client's next connections. An undefined one is not cut. */
  readonly cuts: (Cut | undefined)[]
  /** Called once the last of them has happened. */
  readonly onDone: () => void
  /** Cuts the client's open connection. */
  cutNow: (kind: CutKind) => void
}

/** Forwards connections to a local server, and cuts each one where the plan of its client (`?u=`) says so. */
export class CuttingProxy {
  readonly #server: Server
  readonly #port: number
  readonly #plans = new Map<string, Plan>()
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async to(port: number): Promise<CuttingProxy> {
    const server = createServer({ noDelay: true })
    const proxy = new CuttingProxy(server, port)
    // A test that fails before it closes this must not keep the process alive.
    server.unref()
    server.on('connection', (near) => proxy.#accept(near))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /**
   * Plans the cuts of a client's connections, in their order.
   *
   * @returns settles once the last cut has happened
   */
  plan(client: string, cuts: readonly (Cut | undefined)[]): Promise<void> {
    return new Promise((resolve) => {
      this.#plans.set(client, { cuts: Array.from(cuts), onDone: resolve, cutNow: () => {} })
    })
  }

  /** Cuts the open connection of a client. */
  cut(client: string, kind: CutKind): void {
    this.#plans.get(client)?.cutNow(kind)
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(near: Socket): void {
    const far = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroySoon()
      })
    }
    near.once('data', (head) => {
      far.write(head)
      near.pipe(far)
      const [, client = ''] = /[?&]u=([\w-]+)/.exec(head.toString('latin1')) ?? []
      const plan = this.#plans.get(client)
      if (plan === undefined) far.pipe(near)
      else follow(plan, near, far)
    })
  }
}

/** Forwards what the server sends up to the place of the cut. */
function follow(plan: Plan, near: Socket, far: Socket): void {
  const cut = plan.cuts.shift()
  const isLast = cut !== undefined && plan.cuts.length === 0
  let raw = ''
  let sent = 0
  const finish = (to: number, kind: CutKind) => {
    const rest = Buffer.from(raw.slice(sent, to), 'latin1')
    far.removeAllListeners('data')
    // The server sees it later than the client, as it mostly does.
    const lose = () => far.destroy()
    if (kind === 'end') near.end(rest, lose)
    else near.write(rest, () => lose() && reset(near))
    if (isLast) plan.onDone()
  }
  plan.cutNow = (kind) => finish(raw.length, kind)
  far.on('data', (bytes) => {
    raw += bytes.toString('latin1')
    const place = cut && placeIn(raw, cut)
    if (cut !== undefined && place !== undefined) {
      finish(place, cut.kind)
      return
    }
    near.write(bytes)
    sent = raw.length
  })
}

/** Finds the place of a cut in a response. Undefined: it is not cut yet. */
function placeIn(raw: string, { at }: Cut): number | undefined {
  const headEnd = raw.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const isChunked = /^transfer-encoding: *chunked\r$/im.test(raw.slice(0, headEnd + 2))
  const pieces = isChunked ? chunksIn(raw, headEnd + 4) : [{ start: headEnd + 4, end: raw.length }]
  let left = at(pieces.map(({ start, end }) => raw.slice(start, end)).join(''))
  if (left === undefined) return undefined
  if (left === 0) return headEnd + 4
  for (const { start, end } of pieces) {
    if (left <= end - start) return start + left
    left -= end - start
  }
  return raw.length
}

/** Finds the chunks of a body (RFC 9112, section 7.1). The last one may be incomplete. */
function chunksIn(raw: string, from: number): { readonly start: number; readonly end: number }[] {
  const chunks: { start: number; end: number }[] = []
  for (let at = from; ; ) {
    const lineEnd = raw.indexOf('\r\n', at)
    if (lineEnd < 0) return chunks
    const size = Number.parseInt(raw.slice(at, lineEnd), 16)
    const start = lineEnd + 2
    chunks.push({ start, end: Math.min(start + size, raw.length) })
    at = start + size + 2
  }
}
