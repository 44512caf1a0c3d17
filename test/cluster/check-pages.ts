import { nameOf } from '../support/torture-clients.ts'
import type { Order } from './check-order.ts'
import type { Item, Observations, ObservedPage, Published, Stay } from './observations.ts'

const { POSITIVE_INFINITY: NEVER } = Number

type Fail = (problem: string) => void
type Event = Item & { readonly n: number }

/**
 * Checks what a page got: only what was for it, in the one order, nothing twice, and all of it from its first stream on,
 * whichever nodes it was on. A gap stands only where the store lost data, and there on every page.
 */
export function checkPage(
  page: ObservedPage,
  order: Order,
  { published, lostAt, pages }: Pick<Observations, 'published' | 'lostAt' | 'pages'>,
  fail: Fail,
): void {
  const { uid, items } = page
  const got = new Set<number>()
  let latest = -1
  for (const item of items) {
    if ('gap' in item) {
      if (!item.isNew && !lostAt.some((lost) => lost <= item.at))
        fail(`${uid} was told a gap of ${item.gap}, and nothing was lost`)
      continue
    }
    const { n, position } = item
    const [event, place] = [published[n], order.get(n)]
    if (event === undefined || place === undefined) {
      fail(`${uid} got ${n}, which no node was given`)
      continue
    }
    if (got.has(n)) fail(`${uid} got ${n} twice`)
    got.add(n)
    if (position !== place.position)
      fail(`${uid} got ${n} at ${position}, and its place is ${place.position}`)
    if (!mayGet(event, page, pages)) fail(`${uid} got ${n}, which is for ${JSON.stringify(event.to)}`)
    if (place.lastAt < page.askedAt) fail(`${uid} got ${n}, which is from before it came`)
    if (event.transient) continue
    if (place.index < latest) fail(`${uid} got ${n} too late`)
    latest = Math.max(latest, place.index)
  }
  const numbered = items.filter((item) => 'n' in item) as Event[]
  const first = numbered.find(({ n }) => !published[n]?.transient)
  const start = (first && order.get(first.n)?.index) ?? NEVER
  const proof = latestOf(numbered, order)
  for (const event of published) {
    const place = order.get(event.n)
    if (place === undefined || event.transient || got.has(event.n)) continue
    if (event.at < page.since && place.index < start) continue
    const by = mustGetBy(event, page, place, proof)
    if (by.length === 0 || by.some((target) => isInGap(page, place.index, target, order))) continue
    fail(`${uid} did not get ${event.n} for ${by}`)
  }
  for (const lost of lostAt) {
    const isTold = items.some((item) => 'gap' in item && item.at > lost)
    if (page.since < lost && page.isCaughtUp && !isTold) fail(`${uid} was not told of what was lost`)
  }
}

function mayGet(
  { to, except, at }: Published,
  { uid, sids, stays }: ObservedPage,
  pages: readonly ObservedPage[],
): boolean {
  if (except.includes(uid)) return false
  if (to.uid !== undefined) return to.uid.includes(uid)
  if (to.sid !== undefined) return to.sid.some((sid) => sids.has(sid))
  if (to.rid === undefined) return true
  const wasIn = ({ rid, until }: Stay) => to.rid?.includes(rid) && at < until
  const ofUser = pages.filter((other) => other.uid === uid).flatMap((other) => other.stays)
  return stays.some(wasIn) || ofUser.some((stay) => stay.isOfUser && wasIn(stay))
}

/** For each item: the time, and the latest place in the order up to it. */
type Proof = readonly { readonly at: number; readonly index: number }[]

function latestOf(items: readonly Event[], order: Order): Proof {
  let index = -1
  return items.map(({ n, at }) => {
    index = Math.max(index, order.get(n)?.index ?? -1)
    return { at, index }
  })
}

/** Finds the targets by which a page must have got an event that it did not get. */
function mustGetBy(
  { to, except, at }: Published,
  page: ObservedPage,
  { index, firstAt }: { readonly index: number; readonly firstAt: number },
  proof: Proof,
): string[] {
  const { uid, sids, stays, isCaughtUp } = page
  /** Whether it got something later, up to a time. */
  const isPast = (time: number) =>
    (isCaughtUp && time === NEVER) || (proof.findLast((each) => each.at <= time)?.index ?? -1) > index
  if (except.includes(uid) || !isPast(NEVER)) return []
  if (to.uid !== undefined) return to.uid.includes(uid) ? [nameOf({ uid })] : []
  if (to.sid !== undefined) {
    const [sid] = sids
    return sids.size === 1 && to.sid.includes(String(sid)) && at > page.since ? [nameOf({ sid })] : []
  }
  if (to.rid === undefined) return [nameOf({})]
  return stays
    .filter(({ rid, from, to: end }) => to.rid?.includes(rid) && from <= firstAt && isPast(end))
    .map(({ rid }) => nameOf({ rid }))
}

/** Whether a gap names a target right where an event is missing. */
function isInGap({ items }: ObservedPage, index: number, target: string, order: Order): boolean {
  let isNamed = false
  for (const item of items) {
    if ('gap' in item) isNamed ||= item.gap.includes(target)
    else if ((order.get(item.n)?.index ?? -1) > index) return isNamed
  }
  return isNamed
}
