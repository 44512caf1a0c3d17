import { createHmac, timingSafeEqual } from 'node:crypto'

/** The headers that only Comets may write. */
export type SignedHeader = 'Comet-Envelope' | 'Comet-Skip'

/** The length of a signature in base64url characters: 132 bits. */
const LENGTH = 22

/**
 * Signs headers, so that a Comet knows those of another one. Metadata of a request becomes headers of what a Go service
 * publishes meanwhile, so a browser could write them, too.
 *
 * A signature covers the header, the subject and the body: none of them can be combined with another one.
 */
export class Signer {
  readonly #secret: string

  /** @param secret that of the namespace, the same for all nodes */
  constructor(secret: string) {
    this.#secret = secret
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
    return createHmac('sha256', this.#secret).update(signed).digest('base64url').slice(0, LENGTH)
  }
}
