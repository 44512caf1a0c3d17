import type { Member, MemberPage, Members } from '../../lib/ports/presence.ts'
import type { RedisConnection, Reply } from './connection.ts'
import { type Operation, operation } from './presence-operations.ts'
import { memberOf, parseStep, readRecord, stepsOf } from './record.ts'

/** The most users of a slice. The script may give fewer. */
const SLICE = 200

/** The most entries of the record that are read at once. */
const ENTRIES = 1_000

/** A user in a room, and the place of its entry among those of all users. */
interface Entrant {
  readonly member: Member
  readonly order: number
}

/** Reads the members of rooms, in slices: no call to the script touches many. */
export class MembersReader {
  readonly #read: (operation: Operation) => Promise<Reply>
  readonly #connection: RedisConnection
  readonly #record: string

  /** @param read carries out an operation of the script @param record the key of the record */
  constructor(read: (operation: Operation) => Promise<Reply>, connection: RedisConnection, record: string) {
    this.#read = read
    this.#connection = connection
    this.#record = record
  }

  /** Reads a page, in the order of the uids. If it has several slices, the revision is that of the first one. */
  async page(rid: string, { after = '', limit }: MemberPage): Promise<Members> {
    const members: Member[] = []
    let rev: string | undefined
    for (let last = after; ; ) {
      const slice = await this.#slice(rid, last, Math.min(limit - members.length, SLICE))
      rev ??= slice.rev
      for (const { member } of slice.entrants) members.push(member)
      last = slice.entrants.at(-1)?.member.uid ?? last
      if (!slice.hasMore || members.length >= limit) return { rev, members }
    }
  }

  /** Reads all members at one moment, in the order they entered. */
  async all(rid: string): Promise<Members> {
    for (;;) {
      const entrants = new Map<string, Entrant>()
      const first = await this.#slice(rid, '', SLICE)
      let slice = first
      for (;;) {
        for (const entrant of slice.entrants) entrants.set(entrant.member.uid, entrant)
        if (!slice.hasMore) break
        slice = await this.#slice(rid, slice.entrants.at(-1)?.member.uid ?? '', SLICE)
      }
      // What happened meanwhile is in the record. After data was lost it is not.
      const isWhole = epochOf(first.rev) === epochOf(slice.rev)
      if (isWhole && first.rev !== slice.rev)
        await this.#applyChanges(rid, entrants, first.stamp, slice.stamp)
      if (!isWhole) continue
      const inOrder = Array.from(entrants.values()).sort((a, b) => a.order - b.order)
      return { rev: slice.rev, members: inOrder.map(({ member }) => member) }
    }
  }

  async #slice(rid: string, last: string, limit: number) {
    const answer = await this.#read(operation('members', rid, last, String(limit)))
    const [rev, more, stamp, ...flat] = answer as [string, number, string, ...Reply[]]
    const entrants: Entrant[] = []
    for (let at = 0; at + 2 < flat.length; at += 3) {
      entrants.push({ member: memberOf(String(flat[at]), String(flat[at + 2])), order: Number(flat[at + 1]) })
    }
    return { rev, hasMore: more === 1, stamp, entrants }
  }

  async #applyChanges(rid: string, entrants: Map<string, Entrant>, from: string, to: string): Promise<void> {
    for (let after = from; ; ) {
      const entries = await readRecord(this.#connection, this.#record, after, to, ENTRIES)
      for (const [id, fields] of entries) {
        after = id
        const steps = stepsOf(id, fields).map((text) => parseStep(text, (each) => each === rid))
        for (const { rev, type, member } of steps.flatMap(({ changes }) => changes)) {
          const order =
            type === 'info' ? entrants.get(member.uid)?.order : Number(rev.slice(rev.indexOf('.') + 1))
          if (type === 'leave') entrants.delete(member.uid)
          else if (order !== undefined) entrants.set(member.uid, { member, order })
        }
      }
      if (entries.length < ENTRIES) return
    }
  }
}

function epochOf(rev: string): string {
  return rev.slice(0, rev.indexOf('.'))
}
