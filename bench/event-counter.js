const HASH = 0x23
const SEMICOLON = 0x3b

/** The length of `#n=`, which precedes the number of a text. */
const MARK_LENGTH = 3

/**
 * A client. `carry` is the beginning of a text that is not complete yet, `next` the number of the next text.
 *
 * @typedef {{ carry: Buffer | undefined, next: number }} Reader
 */

/** Counts the texts that clients receive, and checks that each client gets every text once and in order. */
export class EventCounter {
  /** Resolves when all texts have arrived, or at the deadline. @type {Promise<import('./types.js').Counts>} */
  done
  #expected
  #deliveries = 0
  /** Microseconds from publishing to receiving. */
  #latencies
  /** @type {Set<string>} */
  #faults = new Set()
  /** @type {() => void} */
  #finish = () => {}

  /** @param {number} expected the sum over all clients @param {number} deadline in milliseconds */
  constructor(expected, deadline) {
    this.#expected = expected
    this.#latencies = new Float64Array(expected)
    this.done = new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#faults.add(`only ${this.#deliveries} of ${expected} deliveries in ${deadline} ms`)
        this.#finish()
      }, deadline)
      this.#finish = () => {
        clearTimeout(timer)
        resolve(this.#counts())
      }
    })
    if (expected === 0) this.#finish()
  }

  /**
   * Reads bytes of a client's stream, and counts every `#n=<number>;t=<microseconds>;` in them.
   *
   * @param {Reader} client @param {Buffer} bytes
   */
  take(client, bytes) {
    // The load process must be faster than any server. This is why it reads the clock once and parses bytes itself.
    const [seconds, nanoseconds] = process.hrtime()
    const now = seconds * 1e6 + nanoseconds / 1e3
    const text = client.carry === undefined ? bytes : Buffer.concat([client.carry, bytes])
    client.carry = undefined
    let at = indexIn(text, HASH, 0)
    for (; at >= 0; at = indexIn(text, HASH, at)) {
      const numberEnd = indexIn(text, SEMICOLON, at)
      const timeEnd = numberEnd < 0 ? -1 : indexIn(text, SEMICOLON, numberEnd + 1)
      if (timeEnd < 0) {
        client.carry = Buffer.from(text.subarray(at))
        return
      }
      this.#count(
        client,
        integerIn(text, at + MARK_LENGTH, numberEnd),
        now - integerIn(text, numberEnd + 3, timeEnd),
      )
      at = timeEnd
    }
  }

  /** @param {Reader} client @param {number} n @param {number} latency */
  #count(client, n, latency) {
    if (n !== client.next) this.#faults.add('a client got a text out of order, twice, or missed one')
    client.next = n + 1
    this.#latencies[this.#deliveries] = latency
    this.#deliveries += 1
    if (this.#deliveries === this.#expected) this.#finish()
  }

  #counts() {
    const latencies = this.#latencies.subarray(0, this.#deliveries).sort()
    /** @param {number} part */
    const at = (part) =>
      (latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))] ?? 0) / 1_000
    return {
      deliveries: this.#deliveries,
      latency: { p50: at(0.5), p99: at(0.99), max: at(1) },
      faults: Array.from(this.#faults),
    }
  }
}

/**
 * The index of a byte, or -1. On the few bytes of one read this is faster than `Buffer.indexOf`.
 *
 * @param {Buffer} text @param {number} byte @param {number} from
 */
function indexIn(text, byte, from) {
  for (let at = from; at < text.length; at += 1) if (text[at] === byte) return at
  return -1
}

/** @param {Buffer} text @param {number} from @param {number} to */
function integerIn(text, from, to) {
  let value = 0
  for (let at = from; at < to; at += 1) value = value * 10 + /** @type {number} */ (text[at]) - 0x30
  return value
}
