import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Whom a mark keeps away. */
export interface Marked {
  readonly uid: string
  readonly anonymous: boolean
  readonly clientId?: string | undefined
}

/** For how long a mark keeps away: for good, or for as long as the connection is there that took over. */
export type MarkKind = 'away' | 'replaced'

const MARK = /^(away|replaced):([^:]+):([\w-]{22})$/

/**
 * Marks by which clients that were told not to come back are known when EventSource does all the same: it gives
 * back the last `id:` it got as Last-Event-ID. A mark is signed by the node and holds only for the user it was
 * given to, so nobody can shut out somebody else with it.
 */
export class Marks {
  readonly #secret = randomBytes(32)

  issue(kind: MarkKind, connection: string, marked: Marked): string {
    return `${kind}:${connection}:${this.#sign(kind, connection, marked).toString('base64url')}`
  }

  verify(mark: string, marked: Marked): boolean {
    const [, kind = '', connection = '', signature = ''] = MARK.exec(mark) ?? []
    const given = Buffer.from(signature, 'base64url')
    const expected = this.#sign(kind, connection, marked)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }

  #sign(kind: string, connection: string, { uid, anonymous, clientId = '' }: Marked): Buffer {
    // An anonymous client has another uid each time it comes.
    const whom = JSON.stringify([kind, connection, anonymous ? null : uid, clientId])
    return createHmac('sha256', this.#secret).update(whom).digest().subarray(0, 16)
  }
}

/** What a client gave as its position, when it has the form of a mark. Whether it is genuine the node knows that gave it. */
export interface Mark {
  readonly text: string
  readonly kind: MarkKind
  /** The connection it was given to. */
  readonly connection: string
}

/** Reads a mark. @returns undefined for a position that is none */
export function parseMark(text: string): Mark | undefined {
  const [, kind, connection] = MARK.exec(text) ?? []
  return connection === undefined ? undefined : { text, kind: kind as MarkKind, connection }
}
