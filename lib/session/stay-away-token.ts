import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The client that a stay-away token was issued to. It has no effect for any other. */
export interface StayAwayClient {
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId?: string | undefined
}

/** How long a token keeps its client away: for good, or while the connection that took over is there. */
export type StayAwayKind = 'away' | 'takeover'

/** A position that has the form of a stay-away token. Whether it is genuine, only {@link StayAwayTokens.verify} tells. */
export interface StayAwayToken {
  readonly text: string
  readonly kind: StayAwayKind
  /** The connection that it was issued to. */
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
  /** The first one signs; each of them verifies. At first there is only a secret of this node's own. */
  #secrets: readonly (string | Buffer)[] = [randomBytes(32)]

  /** Sets the secret that all nodes share. The tokens that were issued before stay valid on this node. */
  use(secret: string): void {
    this.#secrets = [secret, ...this.#secrets]
  }

  issue(kind: StayAwayKind, connection: string, client: StayAwayClient): string {
    const [secret = ''] = this.#secrets
    return `${kind}:${connection}:${sign(secret, kind, connection, client).toString('base64url')}`
  }

  /** Tells whether a node of this namespace issued the token to this client. */
  verify(token: string, client: StayAwayClient): boolean {
    const [, kind = '', connection = '', signature = ''] = TOKEN.exec(token) ?? []
    const given = Buffer.from(signature, 'base64url')
    return this.#secrets.some((secret) => {
      const expected = sign(secret, kind, connection, client)
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  }
}

function sign(
  secret: string | Buffer,
  kind: string,
  connection: string,
  { uid, anonymous, clientId = '' }: StayAwayClient,
): Buffer {
  // The uid of an anonymous client is another one on each connection.
  const signed = JSON.stringify([kind, connection, anonymous ? null : uid, clientId])
  return createHmac('sha256', secret).update(signed).digest().subarray(0, 16)
}

/** Parses a position. @returns undefined when it does not have the form of a token */
export function parseStayAwayToken(text: string): StayAwayToken | undefined {
  const [, kind, connection] = TOKEN.exec(text) ?? []
  return connection === undefined ? undefined : { text, kind: kind as StayAwayKind, connection }
}
