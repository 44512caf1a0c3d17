import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { cometHandler } from '../../adapters/node.ts'
import {
  type Broker,
  type ClientMessage,
  Comet,
  type CometDump,
  CometError,
  type CometOptions,
  type CometStats,
  UserActivityEvent,
} from '../../lib/index.ts'
import { ANY_RATE } from '../support/comets.ts'
import { type Published, type Report, timeNow } from './observations.ts'

const { ONLINE, OFFLINE, HEARD } = UserActivityEvent.Type

/** A task for a node. Tasks begin in their order, and nothing happens in between. */
export type Task =
  | { readonly do: 'publish'; readonly events: readonly Published[]; readonly bytes: number }
  | { readonly do: 'enter' | 'leave'; readonly who: { uid: string } | { sid: string }; readonly rid: string }
  /** Publishes `farewell`, if there is one, and disconnects in the same turn. */
  | {
      readonly do: 'disconnect'
      readonly uid: string
      readonly reconnect: boolean
      readonly farewell?: Published
    }
  | { readonly do: 'state' }
  | { readonly do: 'members'; readonly rid: string }
  | { readonly do: 'close' }

/** What a node answers to `state`. */
export interface NodeState {
  readonly dump: CometDump
  readonly stats: CometStats
  /** In bytes. */
  readonly heap: number
}

/** The ports of a node, as for `new Comet`. */
export type Ports = Pick<CometOptions, 'broker' | 'presence' | 'controller'>

/** An app with one Comet at `/comet`, which does what the test asks for, and reports what it sees. */
export class ClusterNode {
  readonly comet: Comet
  readonly #server: http.Server
  readonly #report: (report: Report) => void

  constructor(ports: Ports, options: CometOptions, report: (report: Report) => void) {
    this.#report = report
    const { broker } = ports
    const observed = broker === undefined ? {} : { broker: observe(broker, report) }
    const onMessage = (message: ClientMessage) => this.#answer(message)
    const comet = new Comet({
      canEnter: () => true,
      packetRate: 10_000,
      maxSessionsPerUser: 1_000,
      onMessage,
      ...ANY_RATE,
      ...ports,
      ...observed,
      ...options,
    })
    this.comet = comet
    comet.on('activity', ({ type, uid, rid = '', time }) => {
      if (type !== HEARD) report({ is: 'activity', at: timeNow(), type, uid, rid, time: String(time) })
    })
    comet.on('status', ({ port, up, rejected }) => {
      report({ is: 'status', at: timeNow(), port, up, ...(rejected === undefined ? {} : { rejected }) })
    })
    comet.on('error', (error) => {
      report({ is: 'error', at: timeNow(), code: codeOf(error), text: String(error) })
    })
    const identify = (req: { url?: string | undefined }) =>
      new URLSearchParams(req.url?.split('?')[1]).get('u') ?? undefined
    this.#server = http.createServer(cometHandler(comet, { path: '/comet', identify }))
  }

  /** @returns the port that it listens on */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', 2_000, resolve))
    return (this.#server.address() as AddressInfo).port
  }

  async do(task: Task): Promise<unknown> {
    const { comet } = this
    switch (task.do) {
      case 'publish':
        for (const event of task.events) this.#publish(event, task.bytes)
        return undefined
      case 'enter':
      case 'leave':
        return await comet[task.do](task.who, task.rid)
      case 'disconnect': {
        const { uid, reconnect, farewell } = task
        if (farewell !== undefined) this.#publish(farewell, 0)
        return await comet.disconnect({ uid }, { reconnect })
      }
      case 'state':
        return {
          dump: comet.dump(),
          stats: comet.stats(),
          heap: process.memoryUsage().heapUsed,
        } satisfies NodeState
      case 'members':
        return (await comet.members(task.rid)).map(({ uid }) => uid)
      case 'close':
        await comet.close({ drain: 0 })
        this.#server.close()
        this.#server.closeAllConnections()
        return undefined
    }
  }

  #publish({ n, to, except, transient }: Published, bytes: number): void {
    const options = { transient, ...(except.length === 0 ? {} : { except: { uid: [...except] } }) }
    const said = (code?: string) =>
      this.#report({ is: 'published', at: timeNow(), n, ...(code === undefined ? {} : { code }) })
    this.comet.publish({ ...to, evt: `${n} `.padEnd(bytes, '.') } as never, options).then(
      () => said(),
      (error) => said(codeOf(error)),
    )
  }

  /** A SEND is echoed, with `after <number> ms` some time later, or with `<rid>: <text>` published to a room. */
  async #answer({ uid, evt }: ClientMessage): Promise<unknown> {
    this.#report({ is: 'message', at: timeNow(), uid, evt })
    const [, rid, text] = /^([\w-]+): (.*)$/s.exec(evt) ?? []
    if (rid !== undefined) return await this.comet.publish({ rid, evt: text ?? '' })
    const [, milliseconds] = /^after (\d+) ms/.exec(evt) ?? []
    if (milliseconds !== undefined) await sleep(Number(milliseconds))
    return { echo: evt, node: this.comet.stats().node }
  }
}

/** Reports what a broker delivers to a node. */
function observe(broker: Broker, report: (report: Report) => void): Broker {
  return {
    join: (node) =>
      broker.join({
        id: node.id,
        namespace: node.namespace,
        server: node.server,
        receives: node.receives,
        history: node.history,
        secret: () => node.secret(),
        onError: (error) => node.onError(error),
        onStatus: (status) => node.onStatus(status),
        begin: (position) => {
          report({ is: 'begin', at: timeNow(), position })
          node.begin(position)
        },
        restore: (delivery, age) => {
          const { position, data } = delivery
          report({ is: 'restore', at: timeNow(), position, n: Number.parseInt(data, 10) })
          node.restore(delivery, age)
        },
        deliver: (delivery) => {
          const { position, data } = delivery
          report({ is: 'deliver', at: timeNow(), position, n: Number.parseInt(data, 10) })
          node.deliver(delivery)
        },
      }),
  }
}

/** @returns the code of a CometError */
export function codeOf(error: unknown): string {
  return error instanceof CometError ? error.code : String(error)
}

/** Whether a transition is about being online, not about a room. */
export function isAboutUser({ type }: { readonly type: UserActivityEvent.Type }): boolean {
  return type === ONLINE || type === OFFLINE
}
