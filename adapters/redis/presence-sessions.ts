import type { SessionConnection } from '../../lib/ports/presence.ts'
import type { Connected, SessionInGrace } from './presence-operations.ts'

/** What a node remembers of its sessions so that it can restore them, beside what it knows itself. */
export class PresenceSessions {
  /** How many takeovers the sessions of connections have had that took over one. */
  readonly #generations = new Map<string, number>()
  /** Sessions in grace that this node began, by sid, until their end is known. */
  readonly #inGrace = new Map<string, SessionInGrace>()

  generationOf(connection: string): number {
    return this.#generations.get(connection) ?? 0
  }

  get inGrace(): Iterable<SessionInGrace> {
    return this.#inGrace.values()
  }

  connected(connection: string, { admission, generation }: Connected): void {
    if (generation > 0) this.#generations.set(connection, generation)
    this.#inGrace.delete(admission.sid)
  }

  /** A connection has ended on this node. */
  ended({ connection, sid }: SessionConnection): void {
    this.#generations.delete(connection)
    this.#inGrace.delete(sid)
  }

  graceBegan(session: SessionInGrace): void {
    this.#inGrace.set(session.session.sid, session)
  }

  /** All graces up to a time on the clock of Redis have ended. */
  gracesOver(time: number): void {
    for (const [sid, { deadline }] of this.#inGrace) if (deadline <= time) this.#inGrace.delete(sid)
  }
}
