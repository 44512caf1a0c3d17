import { Signer } from './signature.ts'

/** How often presence is asked again, in milliseconds: it makes another secret if it has lost all of its data. */
const REFRESH_MS = 2_000

/** The secrets of a namespace that this node knows: the current one signs, and the former one is still believed. */
export class Secrets {
  readonly #ask: () => Promise<string>
  #current: string | undefined
  #signers: readonly Signer[] = []
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param ask tells the current secret */
  constructor(ask: () => Promise<string>) {
    this.#ask = ask
  }

  /** Settles when the secret is known. Rejects as presence does. */
  async known(): Promise<void> {
    if (this.#current !== undefined) return
    await this.#refresh()
    if (this.#isClosed) return
    this.#timer ??= setInterval(() => {
      this.#refresh().catch(() => {})
    }, REFRESH_MS).unref()
  }

  async #refresh(): Promise<void> {
    const secret = await this.#ask()
    if (secret === this.#current) return
    this.#current = secret
    this.#signers = [new Signer(secret), ...this.#signers].slice(0, 2)
  }

  /** Signs with the current secret. Call it once {@link known} has settled. */
  get signer(): Signer {
    const [signer] = this.#signers
    if (signer === undefined) throw new Error('No secret is known yet.')
    return signer
  }

  /** See {@link Signer.verify}. */
  verify(...signed: Parameters<Signer['verify']>): string | undefined {
    for (const signer of this.#signers) {
      const text = signer.verify(...signed)
      if (text !== undefined) return text
    }
    return undefined
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }
}
