import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The client that a stay-away token was issued to. It has no effect for any other. */
export interface StayAwayClient {
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId?: string | undefined
}

/** How long a token keeps its client away: for good, or while the connection that took over is there. */
export type StayAwayKind = 'away' | 'takeover'

/** A position that has the form of a stay-away token. Only the node that issued it can tell whether it is genuine. */
export interface StayAwayToken {
  readonly text: string
  readonly kind: StayAwayKind
  /** The connection that it was issued to. It names the issuing node, as a sid does. */
  readonly connection: string
}

const TOKEN = /^(away|takeover):([^:]+):([\w-]{22})$/

/**
 * Signed tokens, sent as the last `id:` of a closed stream. EventSource reconnects regardless and returns it as
 * Last-Event-ID, so the server can answer 204 and end it for good (WHATWG HTML, section 9.2.3).
 *
 * The signature covers the client, so nobody is kept away by somebody else's token.
 */
export class StayAwayTokens {
  readonly #secret = randomBytes(32)

  issue(kind: StayAwayKind, connection: string, client: StayAwayClient): string {
    return `${kind}:${connection}:${this.#sign(kind, connection, client).toString('base64url')}`
  }

  /** Tells whether this node issued the token to this client. */
  verify(token: string, client: StayAwayClient): boolean {
    const [, kind = '', connection = '', signature = ''] = TOKEN.exec(token) ?? []
    const given = Buffer.from(signature, 'base64url')
    const expected = this.#sign(kind, connection, client)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }

  #sign(kind: string, connection: string, { uid, anonymous, clientId = '' }: StayAwayClient): Buffer {
    // The uid of an anonymous client is another one on each connection.
    const signed = JSON.stringify([kind, connection, anonymous ? null : uid, clientId])
    return createHmac('sha256', this.#secret).update(signed).digest().subarray(0, 16)
  }
}

/** Parses a position. @returns undefined when it does not have the form of a token */
export function parseStayAwayToken(text: string): StayAwayToken | undefined {
  const [, kind, connection] = TOKEN.exec(text) ?? []
  return connection === undefined ? undefined : { text, kind: kind as StayAwayKind, connection }
}
