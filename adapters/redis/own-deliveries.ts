import { Fifo } from '../../lib/util/fifo.ts'
import { comparePlaces, type Place } from './position.ts'

/** How long is waited for a delivery to this node, in milliseconds. A node that lags so far must not hold up its app. */
const LONGEST_MS = 1_000

interface Awaited {
  readonly place: Place
  readonly due: number
  readonly onDelivered: () => void
}

/** Waits until this node was delivered what Redis took from it, in the order in which it did. */
export class OwnDeliveries {
  readonly #waiting = new Fifo<Awaited>()
  #cursor: Place | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** Calls a function once the cursor is at a place, or after a second. Places come in order. */
  add(place: Place, onDelivered: () => void): void {
    if (this.#isClosed || this.#isPast(place)) {
      onDelivered()
      return
    }
    this.#waiting.push({ place, due: performance.now() + LONGEST_MS, onDelivered })
    this.#timer ??= setTimeout(() => this.#onTimer(), LONGEST_MS)
  }

  /** The cursor moved. When an epoch begins, no event of another one is waited for any more. */
  moved(cursor: Place): void {
    const isOther = this.#cursor?.epoch !== cursor.epoch
    this.#cursor = cursor
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (!this.#isPast(next.place) && (!isOther || next.place.epoch === cursor.epoch)) return
      this.#waiting.shift()
      next.onDelivered()
    }
  }

  /** Waits no more: all count as arrived, also what Redis takes later still. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      next.onDelivered()
  }

  #isPast(place: Place): boolean {
    return this.#cursor?.epoch === place.epoch && comparePlaces(this.#cursor, place) >= 0
  }

  #onTimer(): void {
    const now = performance.now()
    for (let next = this.#waiting.first; next !== undefined && next.due <= now; next = this.#waiting.first) {
      this.#waiting.shift()
      next.onDelivered()
    }
    const next = this.#waiting.first
    this.#timer =
      next === undefined ? undefined : setTimeout(() => this.#onTimer(), Math.max(1, next.due - now))
  }
}
