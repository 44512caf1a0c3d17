import http from 'node:http'
import { EventSource } from 'eventsource'
import { eventParser } from './event-parser.ts'

/**
 * What a client was sent, in order: the numbers of events, each with the number of events that had been published by
 * then, and the targets that a gap named.
 */
export type LogItem = { readonly n: number; readonly published: number } | { readonly gap: readonly string[] }

/** All events that were published so far. */
export interface Publications {
  readonly count: number
  /** The text of an event. */
  textOf(n: number): string | undefined
}

/** The name of events that are published with one. Their data has the text that others have as `evt`. */
export const NAMED = 'numbered'

/** Names a target in one word: `world`, `user alice`, `room den`, `session s1`. */
export function nameOf({
  uid,
  rid,
  sid,
}: {
  readonly uid?: string | undefined
  readonly rid?: string | undefined
  readonly sid?: string | undefined
}): string {
  if (uid !== undefined) return `user ${uid}`
  if (rid !== undefined) return `room ${rid}`
  return sid === undefined ? 'world' : `session ${sid}`
}

/** A client that reconnects whenever it loses its stream, until it is stopped. Its events are numbered texts. */
export abstract class TortureClient {
  readonly uid: string
  readonly log: LogItem[] = []
  /** The sids that it was given, one for each stream that began. */
  readonly sids: string[] = []
  /** Why it cannot reconnect: the close code or status that it got. */
  refused: string | undefined
  /** The highest number that it got. */
  latest = -1
  /** The number of events that did not arrive as they were sent. */
  garbled = 0
  /** The last id that it was given. */
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

  /** Does what a page does that is loaded again and has kept its position: the old stream is gone without a word. */
  reload(): void {
    this.stop()
    this.refused = undefined
    this.open()
  }

  protected get address(): string {
    return this.position === undefined
      ? this.url
      : `${this.url}&lastEventId=${encodeURIComponent(this.position)}`
  }

  protected take(event: string, data: string, id: string | undefined): void {
    if (id) this.position = id
    if (event === 'message' || event === NAMED) {
      const text = event === NAMED ? JSON.parse(data).text : data
      const n = Number.parseInt(text, 10)
      if (this.#publications.textOf(n) !== text) this.garbled += 1
      this.log.push({ n, published: this.#publications.count })
      this.latest = Math.max(this.latest, n)
      return
    }
    const content = JSON.parse(data)
    if (event === 'comet.ready') {
      this.sids.push(content.sid)
      this.refused = undefined
    }
    if (event === 'comet.gap') this.log.push({ gap: content.targets.map(nameOf) })
    if (event === 'comet.close' && !content.reconnect) this.refused = content.code
  }
}

/** The `eventsource` library, which reconnects after the pause that the server asks for. */
export class LibraryClient extends TortureClient {
  #source: EventSource | undefined

  open(): void {
    const source = new EventSource(this.address)
    this.#source = source
    for (const name of ['message', NAMED, 'comet.ready', 'comet.gap', 'comet.close', 'comet.heartbeat']) {
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

/** A plain client, which reconnects sooner. */
export class RawClient extends TortureClient {
  readonly #pause: () => number
  #stream: { req: http.ClientRequest; over: boolean } | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param pause returns the milliseconds that it waits before it reconnects */
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
