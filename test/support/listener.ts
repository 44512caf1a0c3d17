import { EventSource } from 'eventsource'

/** What a listener got: a Message whose data was JSON. */
export interface Heard {
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the example published
  readonly data: any
}

/** A plain EventSource client that keeps what it heard, and can be asked to wait for more. */
export class Listener {
  readonly heard: Heard[] = []
  readonly ready: Promise<{ sid: string; uid: string; rooms: string[] }>
  readonly #source: EventSource
  readonly #url: URL
  readonly #waiting = new Set<() => void>()

  constructor(url: string | URL) {
    this.#url = new URL(url)
    this.#source = new EventSource(this.#url)
    this.#source.addEventListener('message', ({ data }) => {
      const { event, data: content } = JSON.parse(data)
      this.heard.push({ event, data: JSON.parse(content) })
      for (const look of this.#waiting) look()
    })
    this.ready = new Promise((resolve) => {
      this.#source.addEventListener('comet.ready', ({ data }) => resolve(JSON.parse(data)), { once: true })
    })
  }

  /** The first thing heard that fits, which may have been heard before. */
  async until(fits: (heard: Heard) => boolean): Promise<Heard> {
    return await new Promise((resolve) => {
      const look = () => {
        const found = this.heard.find(fits)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Sends a packet. @returns the status of the answer */
  async post(packet: object): Promise<number> {
    const { sid } = await this.ready
    const url = new URL(`${this.#url.pathname}/${sid}${this.#url.search}`, this.#url)
    const headers = { 'Content-Type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(packet) })
    return response.status
  }

  close(): void {
    this.#source.close()
  }
}
