import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { CometError } from '../errors.ts'
import type { Answer } from './answer.ts'

const FILE = 'comet-sse/client.min.js'

/** The client for pages, as the package contains it, and the answers with it. */
export class ClientScript {
  readonly #tag: string
  readonly #whole: Answer
  readonly #unchanged: Answer

  constructor(body: Buffer) {
    this.#tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const headers = {
      // Weak: a middleware or a proxy may compress what is sent.
      ETag: `W/${this.#tag}`,
      // A browser asks each time, so that pages and server are of one version.
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
    }
    this.#unchanged = { status: 304, headers }
    const type = { 'Content-Type': 'text/javascript; charset=utf-8' }
    this.#whole = { status: 200, headers: { ...type, ...headers }, body }
  }

  /**
   * Finds and reads the file.
   *
   * @throws CometError INVALID_OPTION when it is not there
   */
  static read(): ClientScript {
    try {
      return new ClientScript(readFileSync(createRequire(import.meta.url).resolve(FILE)))
    } catch (cause) {
      const message =
        `Option serveClient: the file ${FILE} is not found. If a bundler has put the server into one file, keep ` +
        'comet-sse out of the bundle (as an external package), or serve dist/client.min.js of the package yourself.'
      throw new CometError('INVALID_OPTION', message, { cause })
    }
  }

  /** Makes the answer to a GET or HEAD. @param known the header `If-None-Match` */
  answer(known: string | undefined): Answer {
    return known !== undefined && this.#isIn(known) ? this.#unchanged : this.#whole
  }

  /** Tells whether a list of tags names this file: a weak comparison (RFC 9110, section 13.1.2). */
  #isIn(list: string): boolean {
    const tags = list.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
    return list === '*' || tags.includes(this.#tag)
  }
}
