import type { Stand } from './stand.js'

/** What a server process has used. */
export interface Usage {
  /** Microseconds of user and system time since the start of the process. */
  cpu: number
  /** Bytes of memory. */
  rss: number
  /** Bytes of it in V8's heap. */
  heap: number
}

/** A running server of a contender. */
export interface Server {
  port: number
  /** Publishes a text to all clients, or to one user or room by its number. */
  publish(text: string, target?: number): unknown
  /** Publishes several texts to all clients in one turn. Default: calls `publish` for each. */
  burst?(texts: string[]): unknown
  /** The position of the last published event, which clients can resume from. */
  position?(): string
  /** What the server has used, when it runs in another process than this one. */
  usage?(): Usage
  close?(): unknown
}

/** Options of a server. Only Comet has any. */
export interface ServerOptions {
  /** Milliseconds between two heartbeats of a session. */
  heartbeatInterval?: number
}

/** What a server must address: `fanout` all clients at once, `users` and `rooms` one user or room by its number. */
export type Kind = 'fanout' | 'users' | 'rooms'

export interface Contender {
  /** The name in tables. */
  title: string
  /** What its clients speak. Default: `sse`. */
  protocol?: 'sse' | 'websocket' | 'socket.io'
  /** The request target of a client's stream, by the number of the client. */
  path(client: number, kind: Kind): string
  /** The kinds that it supports. Default: all. */
  kinds?: Kind[]
  start(kind: Kind, options: ServerOptions): Server | Promise<Server>
}

/** What to publish, and how fast. Without `targets`, all texts go to all clients. */
export interface Plan {
  turns: number
  /** Texts in a turn. */
  burst: number
  /** Milliseconds from one turn to the next. */
  interval: number
  /** The number of users or rooms. Each text goes to one of them, the next text to the next one. */
  targets?: number
  /** How long to watch for stalls after the last turn, in milliseconds. Default: 20. */
  settle?: number
}

/** A plan, and the texts to publish. */
export interface Publication extends Plan {
  /** The number of the first text. */
  first: number
  /** The size of each text, in bytes. */
  size: number
}

/** Texts that clients must get. */
export interface Expectation {
  /** The number of the first text. */
  first: number
  /** How many texts each client must get. */
  each: number
  /** Milliseconds until they count as lost. */
  deadline: number
}

/** What a load process counted while texts were published. */
export interface Counts {
  /** Texts received by all clients together. */
  deliveries: number
  /** Milliseconds from publishing to receiving. */
  latency: { p50: number; p99: number; max: number }
  /** Why the figures are void. Empty when every client got every text once and in order. */
  faults: string[]
}

/** The result of one measurement of a contender. */
export interface Round {
  /** Values by the name of the figure. */
  figures: Record<string, number>
  /** Why the figures are void. Empty when they are valid. */
  faults: string[]
}

export interface Figure {
  /** The head of its column. */
  title: string
  /** Digits after the decimal point. */
  digits?: number
}

export interface Scenario {
  title: string
  /** The numbers of clients. There is one table for each. */
  sizes: number[]
  /** The names of the contenders that take part. Default: all. */
  contenders?: string[]
  figures: Record<string, Figure>
  run(contender: string, clients: number, options: { quick: boolean }): Promise<Round>
  /** How to measure two builds by turns. Default: `--against` does not measure this scenario. */
  pair?: PairPlan
}

/** A short measurement, which runs by turns on two servers. */
export interface Slice {
  /** Returns microseconds of the server's processor time for one operation, by figure. */
  run(stand: Stand, clients: number): Promise<Record<string, number>>
  /** How often it runs on each server before it counts, so that V8 optimizes the code. */
  warmUps: number
  /** How long it runs again and again on both servers together while it counts, in seconds. */
  seconds: number
}

/** How a scenario is measured on two servers by turns, in slices so short that both find the machine in the same state. */
export interface PairPlan {
  kind: Kind
  clients: number
  /** Options for both servers. Default: none. */
  options?: ServerOptions
  /** Titles by figure. */
  figures: Record<string, string>
  /** Prepares a server that has been started. */
  prepare(stand: Stand, clients: number): Promise<void>
  slices: Slice[]
  /** Runs each slice on both servers during the same time instead of one after the other. Default: false. */
  together?: boolean
}
