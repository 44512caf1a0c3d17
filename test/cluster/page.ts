import http from 'node:http'
import { eventParser } from '../support/event-parser.ts'
import { nameOf } from '../support/torture-clients.ts'
import { type Item, type ObservedPage, type Stay, timeNow } from './observations.ts'

/** How a page behaves. */
export interface PageSettings {
  readonly uid: string
  readonly clientId: string
  /** The rooms that it asks for on each connection. */
  readonly rids: readonly string[]
  /** How long it waits before it reconnects, in milliseconds. */
  readonly pause: () => number
  /** How long it waits for a sign of life, in milliseconds, before it reconnects. */
  readonly patience: number
}

/** What `comet.ready` said. */
export interface PageReady {
  readonly sid: string
  readonly connection: string
  readonly rooms: readonly string[]
  readonly recovered: boolean
}

/** What happens to a page, for who follows the rooms it is in. */
export interface PageListener {
  /** @param since when it asked for the stream; @param lostAt when it lost the one before */
  onReady(page: Page, ready: PageReady, since: number, lostAt: number): void
}

interface Connection {
  readonly req: http.ClientRequest
  readonly askedAt: number
  /** Whether it brought no position. */
  readonly isNew: boolean
  isReady: boolean
  signs: number
  timer?: NodeJS.Timeout
}

/**
 * A page as a browser has it, with a `clientId`: it reconnects with its position through the proxy until it is stopped, or
 * told to stay away. Its events are texts that begin with a number.
 */
export class Page implements ObservedPage {
  readonly settings: PageSettings
  readonly items: Item[] = []
  readonly sids = new Set<string>()
  readonly stays: Stay[]
  readonly askedAt = timeNow()
  since = Number.POSITIVE_INFINITY
  /** What happened to it, for who looks into a failure. */
  readonly story: string[] = []
  /** The close codes that it got. */
  readonly codes: string[] = []
  /** The latest stream's. Undefined while there is none. */
  ready: PageReady | undefined
  readyAt = 0
  /** Why it does not reconnect. */
  refused: string | undefined
  /** The numbers that it got. */
  readonly numbers = new Set<number>()
  isCaughtUp = false
  readonly #url: string
  readonly #listener: PageListener | undefined
  #position: string | undefined
  #lostAt = 0
  #isStopped = false
  #connection: Connection | undefined
  /** The connections that it has left without a word. */
  readonly #left = new Set<http.ClientRequest>()
  #retry: NodeJS.Timeout | undefined

  constructor(url: string, settings: PageSettings, listener?: PageListener) {
    this.settings = settings
    this.#listener = listener
    const [from, to] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    this.stays = settings.rids.map((rid) => ({ rid, isOfUser: false, from, to, until: to }))
    const rids = settings.rids.map((rid) => `&rid=${rid}`).join('')
    this.#url = `${url}?u=${settings.uid}&clientId=${settings.clientId}${rids}`
    this.#open()
  }

  get uid(): string {
    return this.settings.uid
  }

  /** What is known of it by now. */
  get observed(): ObservedPage {
    const { uid, items, sids, stays, since, askedAt, isCaughtUp } = this
    const copies = { items: Array.from(items), sids: new Set(sids), stays: structuredClone(stays) }
    return { uid, since, askedAt, isCaughtUp, ...copies }
  }

  get position(): string | undefined {
    return this.#position
  }

  get isOver(): boolean {
    return this.#isStopped || this.refused !== undefined
  }

  /** Does as a page that is loaded again and has kept its position. The server does not see the old connection end. */
  reload(): void {
    this.#leave(false)
    this.refused = undefined
    this.#open()
  }

  /** Loses its connection, and reconnects. */
  drop(): void {
    this.#lose(this.#connection)
  }

  /** Ends for good, without a word. */
  stop(): void {
    this.#isStopped = true
    this.#leave(true)
    for (const req of this.#left) req.destroy()
  }

  /** Sends a packet, to whichever node. @returns the status and the answer; status 0 when there was none */
  post(packet: object, timeout = this.settings.patience): Promise<{ status: number; text: string }> {
    const body = JSON.stringify(packet)
    const url = new URL(this.#url)
    url.pathname += `/${this.ready?.sid ?? 'none'}`
    return new Promise((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const req = http.request(url, { method: 'POST', headers, agent: false, timeout })
      const fail = () => {
        req.destroy()
        resolve({ status: 0, text: '' })
      }
      req.on('error', fail).on('timeout', fail)
      req.on('response', (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        res
          .on('end', () => resolve({ status: res.statusCode ?? 0, text }))
          .on('error', fail)
          .on('aborted', fail)
      })
      req.end(body)
    })
  }

  #tell(what: string): void {
    this.story.push(`${timeNow().toFixed(1)} ${what}`)
  }

  #open(): void {
    clearTimeout(this.#retry)
    this.#tell(`asks from ${this.#position}`)
    const headers = {
      accept: 'text/event-stream',
      ...(this.#position === undefined ? {} : { 'last-event-id': this.#position }),
    }
    const req = http.get(this.#url, { headers, agent: false })
    const connection: Connection = {
      req,
      askedAt: timeNow(),
      isNew: this.#position === undefined,
      isReady: false,
      signs: 0,
    }
    this.#connection = connection
    this.#wait(connection)
    const lose = () => this.#lose(connection)
    req.on('error', lose).on('close', lose)
    req.on('response', (res) => {
      if (connection !== this.#connection) return
      const { statusCode = 0 } = res
      if (statusCode !== 200) {
        if (statusCode < 500) this.#refuse(String(statusCode))
        else lose()
        return
      }
      const feed = eventParser(({ event, data, id }) => {
        if (connection === this.#connection) this.#take(connection, event, data, id)
      })
      res.setEncoding('utf8').on('data', (text: string) => {
        if (connection === this.#connection) this.#wait(connection)
        feed(text)
      })
      res.on('end', lose).on('error', lose).on('close', lose)
    })
  }

  #take(connection: Connection, event: string, data: string, id: string | undefined): void {
    const at = timeNow()
    // The last id of a stream that ends may be a stay-away token, which is no position.
    if (id && event !== 'comet.close') this.#position = id
    if (event === 'message') {
      const n = Number.parseInt(data, 10)
      this.items.push({ at, n, position: id ?? '', isEarly: !connection.isReady })
      this.numbers.add(n)
      return
    }
    const content = JSON.parse(data || '{}')
    if (event === 'comet.ready') this.#begin(connection, content)
    if (event === 'comet.gap')
      this.items.push({ at, gap: content.targets.map(nameOf), isNew: connection.isNew })
    if (event === 'comet.close') {
      this.codes.push(content.code)
      this.#tell(content.code)
      // One that should stay away may be told what was published last, and not what it missed before.
      if (!content.reconnect && !connection.isReady) this.#dropEarly()
      if (!content.reconnect) this.#refuse(content.code)
    }
  }

  #dropEarly(): void {
    for (
      let last = this.items.at(-1);
      last !== undefined && 'n' in last && last.isEarly;
      last = this.items.at(-1)
    ) {
      this.items.pop()
    }
  }

  #begin(connection: Connection, ready: PageReady): void {
    connection.isReady = true
    this.ready = ready
    this.#tell(
      `ready ${ready.connection} of ${ready.sid}, recovered ${ready.recovered}, rooms ${ready.rooms}`,
    )
    this.sids.add(ready.sid)
    this.readyAt = timeNow()
    this.since = Math.min(this.since, this.readyAt)
    this.#listener?.onReady(this, ready, connection.askedAt, this.#lostAt)
  }

  /** The connection shows a sign of life. Loses it when the next one does not come in time. */
  #wait(connection: Connection): void {
    connection.signs += 1
    if (connection.timer !== undefined) {
      connection.timer.refresh()
      return
    }
    connection.timer = setTimeout(() => {
      // What came while this process was busy is read first.
      const { signs } = connection
      setTimeout(() => connection.signs === signs && this.#lose(connection), 50)
    }, this.settings.patience)
  }

  #lose(connection: Connection | undefined): void {
    if (connection === undefined || connection !== this.#connection) return
    this.#leave(true)
    if (!this.isOver) this.#retry = setTimeout(() => this.#open(), this.settings.pause())
  }

  #refuse(why: string): void {
    this.refused = why
    this.#leave(true)
  }

  #leave(ends: boolean): void {
    clearTimeout(this.#retry)
    const connection = this.#connection
    this.#connection = undefined
    if (connection !== undefined) this.#tell(ends ? 'ends its stream' : 'leaves its stream open')
    if (this.ready !== undefined) this.#lostAt = timeNow()
    this.ready = undefined
    if (connection === undefined) return
    const { req, timer } = connection
    clearTimeout(timer)
    if (ends) req.destroy()
    else {
      this.#left.add(req)
      req.once('close', () => this.#left.delete(req))
    }
  }
}
