/** What of a server process can be asked for. */
export interface Usage {
  /** Microseconds of user and system time since its start. */
  cpu: number
  /** Bytes. */
  rss: number
  heap: number
}

/** A server to be measured. */
export interface Server {
  port: number
  /** Publishes text to all, or to one user or room by its number. */
  publish(text: string, target?: number): unknown
  /** Publishes some texts in one turn to all. Default: one `publish` each. */
  burst?(texts: string[]): unknown
  /** The position of what was published last, where clients can resume. */
  position?(): string
  /** What the server says it used, where it is not this process. */
  usage?(): Usage
  close?(): unknown
}

/** What a server is asked to be ready for: `fanout` knows no users, the others address users or rooms by number. */
export type Kind = 'fanout' | 'users' | 'rooms'

export interface Contender {
  /** As it stands in tables. */
  title: string
  /** How its clients speak. Default: `sse`. */
  protocol?: 'sse' | 'websocket' | 'socket.io'
  /** The request target of a client's stream, by its number and the kind. */
  path(client: number, kind: Kind): string
  /** The kinds it can do. Default: all. */
  kinds?: Kind[]
  start(kind: Kind): Server | Promise<Server>
}

/** What a load process counted in a phase. */
export interface Counts {
  /** Events that came to all clients together, each in order and once. */
  deliveries: number
  /** Of publication to receipt, in milliseconds. */
  latency: { p50: number; p99: number; max: number }
  /** Why the phase is void, if it is. */
  faults: string[]
}

/** What a scenario found of a contender in one round: figures by their name, and why they are void, if they are. */
export interface Round {
  figures: Record<string, number>
  faults: string[]
}

export interface Figure {
  /** As it stands above a column. */
  title: string
  /** Digits after the point. */
  digits?: number
}

export interface Scenario {
  title: string
  /** How many clients: a table each. */
  sizes: number[]
  /** The contenders by name that have something to show. Default: all. */
  contenders?: string[]
  figures: Record<string, Figure>
  run(contender: string, clients: number, options: { quick: boolean }): Promise<Round>
}
