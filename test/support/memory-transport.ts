import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Transport, TransportListener, WriteBatch } from '../../lib/index.ts'

/** A client's stream in memory, for tests without HTTP. */
export class MemoryTransport implements Transport {
  closed = false
  opened = false
  readonly #chunks: Buffer[] = []
  protected listener: TransportListener | undefined
  #isOver = false

  /** The number of writes. */
  get writes(): number {
    return this.#chunks.length
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString()
  }

  /** The events that a client would have received so far. */
  get events(): EventSourceMessage[] {
    const events: EventSourceMessage[] = []
    createParser({ onEvent: (event) => events.push(event) }).feed(this.text)
    return events
  }

  /** What the client would give as Last-Event-ID. */
  get lastEventId(): string | undefined {
    return lastIdOf(this.events)
  }

  /** The data of the events without a name, which are those that were published. */
  get published(): string[] {
    return this.events.filter(({ event }) => event === undefined).map(({ data }) => data)
  }

  /** The named events that were published, each with its JSON data. */
  get named(): [event: string, data: unknown][] {
    return this.events.flatMap(({ event, data }) =>
      event === undefined || event.startsWith('comet.') ? [] : [[event, JSON.parse(data)]],
    )
  }

  /** The comment lines of the published events, in order. */
  get labels(): string[] {
    const blocks = this.text.split('\n\n').filter((block) => !/^event: comet\./m.test(block) && block !== '')
    return blocks.map((block) =>
      block
        .split('\n')
        .filter((line) => line.startsWith(':'))
        .join(' '),
    )
  }

  /** The JSON data of the latest control event of a name. */
  control(name: string): Record<string, unknown> | undefined {
    const found = this.events.findLast(({ event }) => event === `comet.${name}`)
    return found && JSON.parse(found.data)
  }

  get sid(): string {
    return String(this.control('ready')?.sid)
  }

  /** Closes the connection as a client does that goes away without a word. */
  drop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.closed = true
    this.listener?.onClose()
  }

  /** Reports that a write made no progress for too long. */
  stall(): void {
    this.listener?.onStall()
  }

  listen(listener: TransportListener): void {
    this.listener = listener
    if (this.#isOver) listener.onClose()
  }

  open(first: WriteBatch): boolean {
    this.opened = true
    return this.write(first)
  }

  write({ bytes }: WriteBatch): boolean {
    if (!this.closed) this.#chunks.push(bytes)
    return true
  }

  end(): void {
    this.drop()
  }

  destroy(): void {
    this.drop()
  }
}

/** The last event id that a client has after these events. */
export function lastIdOf(events: readonly EventSourceMessage[]): string | undefined {
  return events.findLast(({ id }) => id !== undefined)?.id
}
