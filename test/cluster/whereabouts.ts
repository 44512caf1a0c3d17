import { type Stay, timeNow } from './observations.ts'
import type { Page, PageListener, PageReady } from './page.ts'

/** What is known of the calls about a user and a room. */
interface Calls {
  running: number
  /** The number of calls that have begun. */
  begun: number
  /** When the latest one ended. */
  endedAt: number
  /** Whether one failed, which may have an effect later. */
  isDoubtful: boolean
}

/** How a call ended: `'unknown'`, when it may have been carried out, or may be later. */
export type Outcome = 'done' | 'refused' | 'unknown'

const { POSITIVE_INFINITY: NEVER } = Number

/**
 * Follows when each page is in which room, as far as the calls and `comet.ready` tell. Calls that overlap leave it open,
 * and so does one that fails.
 */
export class Whereabouts implements PageListener {
  readonly #pagesOf: (uid: string) => readonly Page[]
  readonly #calls = new Map<string, Calls>()
  #isInDoubt = false

  constructor(pagesOf: (uid: string) => readonly Page[]) {
    this.#pagesOf = pagesOf
  }

  /**
   * A call begins that puts somebody into a room, or takes it out.
   *
   * @param page the page that it is about. Without it: all of the user
   * @returns call it at the end
   */
  begin(uid: string, rid: string, puts: boolean, page?: Page): (outcome: Outcome) => void {
    const calls = this.#callsOf(uid, rid)
    const isAlone = calls.running === 0
    calls.running += 1
    calls.begun += 1
    const { begun } = calls
    const at = timeNow()
    for (const each of this.#pages(uid, page)) {
      if (puts) possibleStay(each, rid, page === undefined)
      else for (const stay of openStays(each, rid)) stay.to = Math.min(stay.to, at)
    }
    return (outcome) => {
      calls.running -= 1
      calls.endedAt = timeNow()
      calls.isDoubtful ||= outcome === 'unknown' || this.#isInDoubt
      for (const each of this.#pages(uid, page)) {
        if (puts) possibleStay(each, rid, page === undefined)
        const isCertain = outcome === 'done' && isAlone && begun === calls.begun && !calls.isDoubtful
        // What one that connected meanwhile is told, its `comet.ready` says, and that may be too early or not.
        if (!isCertain || each.ready === undefined || each.readyAt > at) continue
        if (puts) certainStay(each, rid)
        else for (const stay of openStays(each, rid)) stay.until = calls.endedAt
      }
    }
  }

  /**
   * A node cannot be reached, or the store: what it is not told of now it learns later, so that calls settle nothing
   * until {@link settle}.
   *
   * @param lostSince from when on the store loses what calls have changed
   */
  doubt(pages: readonly Page[], lostSince = NEVER): void {
    this.#isInDoubt = true
    if (lostSince === NEVER) return
    const now = timeNow()
    for (const { stays, settings } of pages) {
      for (const stay of stays) {
        if (settings.rids.includes(stay.rid)) continue
        stay.to = Math.min(stay.to, now)
        if (stay.until > lostSince) stay.until = NEVER
      }
    }
  }

  /** No call from before has an effect any more. */
  settle(): void {
    this.#isInDoubt = false
    for (const calls of this.#calls.values()) calls.isDoubtful = false
  }

  onReady(page: Page, { rooms }: PageReady, askedAt: number, lostAt: number): void {
    const { uid, settings, stays } = page
    const known = stays.filter(({ until }) => until === NEVER).map(({ rid }) => rid)
    for (const rid of new Set([...known, ...rooms])) {
      if (settings.rids.includes(rid)) continue
      const { running, endedAt, isDoubtful } = this.#callsOf(uid, rid)
      const isContested = running > 0 || endedAt > askedAt || isDoubtful || this.#isInDoubt
      if (rooms.includes(rid)) {
        if (isContested) possibleStay(page, rid)
        else certainStay(page, rid)
        continue
      }
      for (const stay of openStays(page, rid)) {
        stay.to = Math.min(stay.to, lostAt)
        if (!isContested) stay.until = timeNow()
      }
    }
  }

  #pages(uid: string, page: Page | undefined): readonly Page[] {
    return page === undefined ? this.#pagesOf(uid) : [page]
  }

  #callsOf(uid: string, rid: string): Calls {
    const key = `${uid} ${rid}`
    const calls = this.#calls.get(key) ?? { running: 0, begun: 0, endedAt: 0, isDoubtful: false }
    this.#calls.set(key, calls)
    return calls
  }
}

/** The stays of a room that may go on. */
function openStays({ stays }: Page, rid: string): Stay[] {
  return stays.filter((stay) => stay.rid === rid && stay.until === NEVER)
}

function possibleStay(page: Page, rid: string, isOfUser = false): void {
  const isKnown = openStays(page, rid).some((stay) => stay.isOfUser || !isOfUser)
  if (!isKnown) page.stays.push({ rid, isOfUser, from: NEVER, to: NEVER, until: NEVER })
}

/** The page is in the room now, and stays in it. */
function certainStay(page: Page, rid: string): void {
  const goesOn = openStays(page, rid).some(({ from, to }) => from < NEVER && to === NEVER)
  if (!goesOn) page.stays.push({ rid, isOfUser: false, from: timeNow(), to: NEVER, until: NEVER })
}
