import type { Request, Response } from 'express'

// The parts of other libraries that the examples of docs/guides/migrating.md use. They are not installed here.

// biome-ignore lint/suspicious/noExplicitAny: an event of Socket.IO has arguments of any type.
type Listener = (...args: any[]) => unknown
// biome-ignore lint/suspicious/noExplicitAny: likewise.
type Arguments = any[]

interface ServerSocket {
  // biome-ignore lint/suspicious/noExplicitAny: so it is typed in Socket.IO.
  data: any
  readonly rooms: ReadonlySet<string>
  readonly handshake: { readonly auth: Readonly<Record<string, unknown>> }
  on(name: string, listener: Listener): void
  join(room: string): void
  to(room: string): { emit(name: string, ...args: Arguments): void }
}
interface ClientSocket {
  on(name: string, listener: Listener): void
  emit(name: string, ...args: Arguments): void
  emitWithAck(name: string, ...args: Arguments): Promise<unknown>
}
export interface Io {
  /** `io` of `socket.io-client`. */
  (options: { readonly auth: object }): ClientSocket
  /** A `Server` of `socket.io`. */
  use(middleware: (socket: ServerSocket, next: (error?: Error) => void) => void): void
  on(name: 'connection', listener: (socket: ServerSocket) => void): void
}
export interface BetterSession {
  readonly state: { readonly id: string }
  push(data: unknown, name?: string): void
}
export interface Channel {
  register(session: BetterSession): void
  broadcast(
    data: unknown,
    name?: string,
    options?: { readonly filter?: (session: BetterSession) => boolean },
  ): void
}
/** `SSE` of express-sse. */
export interface ExpressSse {
  init(req: Request, res: Response): void
  updateInit(data: unknown): void
  send(data: unknown, name?: string): void
}
