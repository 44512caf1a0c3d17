/** The most senders that are remembered. Each start of a process is another one. */
const MOST_SENDERS = 4_096

/** The most numbers of a sender that are remembered as missing. */
const MOST_MISSING = 4_096

interface Sender {
  /** The highest number that came. */
  last: number
  /** Lower numbers that did not come. */
  missing: Set<number> | undefined
  /** Whether the next number may be any higher one. */
  isForgiven: boolean
  /** When its last event came: the number of events of all senders so far. */
  seen: number
}

/** What the number of an event tells: it is `new`; it came before; or it is new, and others before it did not come. */
export type Arrival = 'new' | 'again' | 'after-missing'

/**
 * The numbers of the events that other nodes publish. An event that a node sends twice, because it could not know that it
 * had arrived, is delivered once; and one that is lost on its way is noticed when the next one comes.
 */
export class Senders {
  readonly #senders = new Map<string, Sender>()
  #events = 0

  /** Notes that an event came. */
  note(node: string, number: number): Arrival {
    this.#events += 1
    const sender = this.#senders.get(node)
    if (sender !== undefined) sender.seen = this.#events
    if (sender === undefined) {
      this.#add(node, number)
      return 'new'
    }
    if (number <= sender.last) return sender.missing?.delete(number) ? 'new' : 'again'
    const isNext = number === sender.last + 1
    const { isForgiven } = sender
    if (!isNext && !isForgiven) noteMissing(sender, number)
    sender.last = number
    sender.isForgiven = false
    return isNext || isForgiven ? 'new' : 'after-missing'
  }

  /** The highest number of a sender. Undefined when none of its events came. */
  lastOf(node: string): number | undefined {
    return this.#senders.get(node)?.last
  }

  /** Takes it that events of every sender were lost, which this node has told already. */
  forgive(): void {
    for (const sender of this.#senders.values()) sender.isForgiven = true
  }

  #add(node: string, last: number): void {
    this.#senders.set(node, { last, missing: undefined, isForgiven: false, seen: this.#events })
    if (this.#senders.size <= MOST_SENDERS) return
    let [silent, longest] = ['', this.#events]
    for (const [other, { seen }] of this.#senders) if (seen < longest) [silent, longest] = [other, seen]
    this.#senders.delete(silent)
  }
}

/** Notes the numbers between the last one and another one, the latest of them if they are too many. */
function noteMissing(sender: Sender, number: number): void {
  sender.missing ??= new Set()
  for (let missing = Math.max(sender.last + 1, number - MOST_MISSING); missing < number; missing += 1) {
    sender.missing.add(missing)
  }
  for (const oldest of sender.missing) {
    if (sender.missing.size <= MOST_MISSING) return
    sender.missing.delete(oldest)
  }
}
