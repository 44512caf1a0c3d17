import { hash, timingSafeEqual } from 'node:crypto'

/** The headers that only Comets may write. */
export type SignedHeader = 'Comet-Envelope' | 'Comet-Skip'

/** The length of a block of SHA-256, in bytes (FIPS 180-4, section 1). */
const BLOCK = 64

/** The length of a hash of SHA-256, in bytes. */
const HASH = 32

/** The length of a signature in base64url characters: 132 bits. */
const LENGTH = 22

/**
 * Signs headers, so that a Comet knows those of another one. Metadata of a request becomes headers of what a Go service
 * publishes meanwhile, so a browser could write them, too.
 *
 * A signature covers the header, the subject and the body: none of them can be combined with another one.
 */
export class Signer {
  readonly #inner: string
  readonly #outer = Buffer.alloc(BLOCK + HASH)

  /** @param secret that of the namespace, the same for all nodes */
  constructor(secret: string) {
    // A key of the length of a block, in ASCII, whatever the secret is.
    const key = hash('sha256', secret, 'hex')
    this.#inner = xor(key, 0x36)
    this.#outer.write(xor(key, 0x5c), 'latin1')
  }

  /** Signs the text of a header. @returns the header's value */
  sign(header: SignedHeader, subject: string, text: string, body: string): string {
    return `${this.#signature(header, subject, text, body)} ${text}`
  }

  /** Checks a header's value. @returns its text; undefined when it is not signed by this secret */
  verify(header: SignedHeader, subject: string, value: string, body: string): string | undefined {
    const text = value.slice(LENGTH + 1)
    const given = Buffer.from(value)
    const expected = Buffer.from(this.sign(header, subject, text, body))
    return given.length === expected.length && timingSafeEqual(given, expected) ? text : undefined
  }

  #signature(header: SignedHeader, subject: string, text: string, body: string): string {
    // The first two have no line ends, and the text is JSON without any, so the parts cannot be cut in another way.
    const signed = `${header}\n${subject}\n${text}\n${body}`
    // HMAC (RFC 2104, section 2), without an object of Hmac, which takes twice as long: 3.9 µs in place of 2.1 µs.
    this.#outer.write(hash('sha256', this.#inner + signed, 'binary'), BLOCK, 'latin1')
    return hash('sha256', this.#outer, 'base64url').slice(0, LENGTH)
  }
}

/** Combines each byte of a text in ASCII with another one below 128. */
function xor(text: string, byte: number): string {
  return String.fromCharCode(...Buffer.from(text).map((character) => character ^ byte))
}
