import http from 'node:http'
import { EventSource } from 'eventsource'
import { eventParser } from './event-parser.ts'

/**
 * What a client was sent, in order: the numbers of events, each with how many had been published by then, and the
 * targets that a gap named.
 */
export type LogItem = { readonly n: number; readonly published: number } | { readonly gap: readonly string[] }

/** What was published so far. */
export interface Publications {
  readonly count: number
  /** What the event of a number must look like. */
  textOf(n: number): string | undefined
}

/** A target in one word: `world`, `user alice`, `room den`. */
export function nameOf({
  uid,
  rid,
}: {
  readonly uid?: string | undefined
  readonly rid?: string | undefined
}): string {
  if (uid !== undefined) return `user ${uid}`
  return rid === undefined ? 'world' : `room ${rid}`
}

/** A client that comes back whenever it loses its stream, until it is stopped. Its events are numbered texts. */
export abstract class StormClient {
  readonly uid: string
  readonly log: LogItem[] = []
  /** The sids it was given, one for each stream that began. */
  readonly sids: string[] = []
  /** Why it cannot come back, if so: it was told not to, or its request was refused. */
  refused: string | undefined
  /** The highest number it got. */
  latest = -1
  /** What did not come as it was sent. */
  garbled = 0
  /** The last id it was given. */
  position: string | undefined
  protected readonly url: string
  readonly #publications: Publications

  constructor(url: string, uid: string, publications: Publications) {
    this.url = url
    this.uid = uid
    this.#publications = publications
  }

  get sid(): string | undefined {
    return this.sids.at(-1)
  }

  abstract open(): void
  /** Closes the stream for good. */
  abstract stop(): void

  /** What a page does that is loaded anew and has kept its position: the old stream is gone without a word. */
  reload(): void {
    this.stop()
    this.open()
  }

  protected get address(): string {
    return this.position === undefined
      ? this.url
      : `${this.url}&lastEventId=${encodeURIComponent(this.position)}`
  }

  protected take(event: string, data: string, id: string | undefined): void {
    if (id) this.position = id
    if (event === 'message') {
      const n = Number.parseInt(data, 10)
      if (this.#publications.textOf(n) !== data) this.garbled += 1
      this.log.push({ n, published: this.#publications.count })
      this.latest = Math.max(this.latest, n)
      return
    }
    const said = JSON.parse(data)
    if (event === 'comet.ready') {
      this.sids.push(said.sid)
      this.refused = undefined
    }
    if (event === 'comet.gap') this.log.push({ gap: said.targets.map(nameOf) })
    if (event === 'comet.close' && !said.reconnect) this.refused = said.code
  }
}

/** The `eventsource` library, which comes back after the pause that the server asks for. */
export class LibraryClient extends StormClient {
  #source: EventSource | undefined

  open(): void {
    const source = new EventSource(this.address)
    this.#source = source
    for (const name of ['message', 'comet.ready', 'comet.gap', 'comet.close', 'comet.heartbeat']) {
      source.addEventListener(name, ({ data, lastEventId }) => {
        if (source === this.#source) this.take(name, data, lastEventId)
      })
    }
    source.addEventListener('error', ({ code, message }) => {
      if (source === this.#source && source.readyState === source.CLOSED)
        this.refused ??= `${code} ${message}`
    })
  }

  stop(): void {
    this.#source?.close()
    this.#source = undefined
  }
}

/** A client of its own make, which comes back sooner. */
export class RawClient extends StormClient {
  readonly #pause: () => number
  #stream: { req: http.ClientRequest; over: boolean } | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param pause how long it waits before it comes back */
  constructor(url: string, uid: string, publications: Publications, pause: () => number) {
    super(url, uid, publications)
    this.#pause = pause
  }

  open(reloads = true): void {
    const headers = {
      accept: 'text/event-stream',
      ...(reloads || this.position === undefined ? {} : { 'last-event-id': this.position }),
    }
    const req = http.get(reloads ? this.address : this.url, { headers, agent: false })
    const stream = { req, over: false }
    this.#stream = stream
    const lose = () => {
      if (stream.over) return
      stream.over = true
      req.destroy()
      this.#timer = setTimeout(() => this.open(false), this.#pause())
    }
    req.on('error', lose).on('close', lose)
    req.on('response', (res) => {
      if (res.statusCode !== 200) {
        this.refused ??= String(res.statusCode)
        this.stop()
        return
      }
      const feed = eventParser(({ event, data, id }) => {
        if (!stream.over) this.take(event, data, id)
      })
      res.setEncoding('utf8').on('data', feed)
      res.on('end', lose).on('error', lose).on('close', lose)
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
    if (this.#stream === undefined) return
    this.#stream.over = true
    this.#stream.req.destroy()
  }
}
