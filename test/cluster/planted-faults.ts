import { UserActivityEvent } from '../../lib/index.ts'
import type { Item, Observations, Published, Report, Transition } from './observations.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/** A copy that may be changed. */
type Draft<T> =
  T extends ReadonlySet<infer Each>
    ? Set<Each>
    : T extends readonly (infer Each)[]
      ? Draft<Each>[]
      : T extends object
        ? { -readonly [Key in keyof T]: Draft<T[Key]> }
        : T

type Run = Draft<Observations>
type Page = Run['pages'][number]
type Node = Run['nodes'][number]
type Given = Report & { readonly is: 'deliver' }
type Got = Extract<Item, { readonly n: number }>

/** A fault of a cluster, planted in what was recorded of a run without one. */
export interface PlantedFault {
  readonly title: string
  /** Changes what was recorded. */
  readonly plant: (run: Run) => void
  /** What the checker must say. */
  readonly says: RegExp
}

/** Plants a fault in a copy of a run. */
export function planted(run: Observations, { plant }: PlantedFault): Observations {
  const copy = structuredClone(run) as Run
  plant(copy)
  return copy
}

/** Faults in what nodes were delivered, and what became of what they published. */
export const ORDER_FAULTS: readonly PlantedFault[] = [
  {
    title: 'a node is given an event twice',
    plant: ({ nodes }) => insertAfter(firstNode(nodes).log, middle(deliveries(nodes))),
    says: /was given \d+ twice/,
  },
  {
    title: 'a node is not given an event between others',
    plant: ({ nodes }) => remove(firstNode(nodes).log, middle(deliveries(nodes))),
    says: /was given \d+ after \d+, other nodes/,
  },
  {
    title: 'a node is given two events in another order',
    plant: ({ nodes }) => {
      const [one, two] = pair(deliveries(nodes))
      swap(firstNode(nodes).log, one, two)
    },
    says: /was given \d+ after \d+, other nodes/,
  },
  {
    title: 'an event has another position on one node',
    plant: ({ nodes }) => {
      middle(deliveries(nodes)).position += '-other'
    },
    says: /was given \d+ after \d+, other nodes/,
  },
  {
    title: 'nodes have different events at one position',
    plant: ({ nodes }) => {
      middle(deliveries(nodes)).n += 1
    },
    says: /was given \d+ where another node has \d+/,
  },
  {
    title: 'an event has two positions, which follow each other everywhere',
    plant: ({ nodes }) => {
      const { position } = middle(deliveries(nodes))
      for (const { log } of nodes) {
        const given = found(log.find((report) => report.is === 'deliver' && report.position === position))
        log.splice(log.indexOf(given) + 1, 0, { ...(given as Given), position: `${position}-again` })
      }
    },
    says: /\d+ has two positions/,
  },
  {
    title: 'the events of a publisher are in another order than it published them',
    plant: ({ nodes, published }) => {
      const of = deliveries(nodes).map(({ n }) => found(published[n]))
      const one = middle(of)
      const two = found(of.slice(of.indexOf(one) + 1).find(({ node }) => node === one.node))
      for (const { log } of nodes) {
        for (const report of log) {
          if (report.is !== 'deliver' || (report.n !== one.n && report.n !== two.n)) continue
          report.n = report.n === one.n ? two.n : one.n
        }
      }
    },
    says: /comes before what it published earlier/,
  },
  {
    title: 'an event was acknowledged, and no node is given it',
    plant: ({ nodes }) => {
      const { n } = middle(deliveries(nodes))
      for (const node of nodes)
        node.log = node.log.filter((report) => report.is !== 'deliver' || report.n !== n)
    },
    says: /was acknowledged on \S+, and is lost/,
  },
  {
    title: 'an event was rejected, and nodes are given it',
    plant: ({ nodes }) => {
      const report = found(firstNode(nodes).log.find(({ is }) => is === 'published'))
      Object.assign(report, { code: 'UNAVAILABLE' })
    },
    says: /was rejected on \S+ \(UNAVAILABLE\), and delivered/,
  },
  {
    title: 'a node begins anew, and nothing was lost',
    plant: ({ nodes }) => {
      const { log } = firstNode(nodes)
      const { at, position } = middle(deliveries(nodes))
      log.splice(Math.floor(log.length / 2), 0, { is: 'begin', at, position })
    },
    says: /began anew, and nothing was lost/,
  },
  {
    title: 'a node that starts leaves out an event of the past',
    plant: (run) => {
      const { log } = restarted(run)
      log.splice(Math.floor(log.length / 2), 1)
    },
    says: /did not restore \d+/,
  },
  {
    title: 'a node that starts has the past in another order',
    plant: (run) => {
      const { log } = restarted(run)
      const [one, two] = pair(log)
      swap(log, one, two)
    },
    says: /restored \d+ out of order/,
  },
  {
    title: 'a node that starts has an event of the past at another position',
    plant: (run) => {
      Object.assign(middle(restarted(run).log), { position: 'elsewhere' })
    },
    says: /restored \d+ at elsewhere, not/,
  },
]

/** Faults in the record, and in what hooks were told. */
export const PRESENCE_FAULTS: readonly PlantedFault[] = [
  {
    title: 'the record goes back in time',
    plant: ({ record }) => {
      const transitions = middle(record).transitions
      for (const transition of transitions) transition.time = '1000'
    },
    says: /the record goes back in time/,
  },
  ...[ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM].map((type): PlantedFault => {
    const name = found(Object.entries(UserActivityEvent.Type).find(([, value]) => value === type))[0]
    return {
      title: `${name} of a user is in the record twice`,
      plant: ({ record }) => {
        const step = stepOf(record, type)
        const again = structuredClone(step)
        for (const transition of again.transitions) transition.time = String(BigInt(transition.time) + 1n)
        record.splice(record.indexOf(step) + 1, 0, again)
      },
      says:
        { [ONLINE]: /ONLINE .* twice/, [ENTER_ROOM]: /ENTER_ROOM .* twice/ }[type as number] ??
        new RegExp(`${name} .* (outside ONLINE|without being there)`),
    }
  }),
  {
    title: 'a user who is not online enters a room',
    plant: ({ record }) => {
      const time = '1'
      record.unshift({ transitions: [{ type: ENTER_ROOM, uid: 'ghost', rid: 'den', time }], isSaid: false })
    },
    says: /ENTER_ROOM ghost den at 1 outside ONLINE/,
  },
  {
    title: 'a user goes offline who has not left a room',
    plant: ({ record }) => {
      const step = found(
        record.find(({ transitions }) => [LEAVE_ROOM, OFFLINE].every((type) => has(transitions, type))),
      )
      step.transitions = step.transitions.filter(({ type }) => type !== LEAVE_ROOM)
    },
    says: /OFFLINE .* in rooms/,
  },
  {
    title: 'the record leaves a user online who has no session',
    plant: ({ online }) => void online.pop(),
    says: /the record ends with \S+ in .*, and the sessions are in undefined/,
  },
  {
    title: 'a session is in a room that the record does not have its user in',
    plant: ({ online }) => void found(online[0]).rooms.push('hideout'),
    says: /the record ends with \S+ in .*, and the sessions are in .*hideout/,
  },
  {
    title: 'hooks of two nodes are told the same',
    plant: ({ nodes }) => {
      const report = found(firstNode(nodes).log.find(({ is }) => is === 'activity'))
      found(nodes[1]).log.push({ ...report })
    },
    says: /said .* once more/,
  },
  {
    title: 'no hook is told of a transition',
    plant: ({ nodes }) => {
      const { log } = firstNode(nodes)
      remove(log, middle(log.filter(({ is }) => is === 'activity')))
    },
    says: /no node said/,
  },
  {
    title: 'a hook is told what did not happen',
    plant: ({ nodes }) =>
      void firstNode(nodes).log.push({
        is: 'activity',
        at: 0,
        type: ONLINE,
        uid: 'ghost',
        rid: '',
        time: '7',
      }),
    says: /said ONLINE ghost at 7, which is not in the record/,
  },
  {
    title: 'a node that is told of all activity misses some',
    plant: (run) => {
      const { log } = follower(run)
      log.splice(Math.floor(log.length / 2), 1)
    },
    says: /was not told .* in its place/,
  },
  {
    title: 'a node that is told of all activity is told in another order',
    plant: (run) => {
      const { log } = follower(run)
      const [one, two] = pair(log)
      swap(log, one, two)
    },
    says: /was not told .* in its place/,
  },
  {
    title: 'a node that is told of all activity is told the end twice',
    plant: (run) => {
      const { log } = follower(run)
      log.push(structuredClone(found(log.at(-1))))
    },
    says: /was told more than there is in the record/,
  },
]

/** Faults in what pages got. */
export const PAGE_FAULTS: readonly PlantedFault[] = [
  {
    title: 'a page misses an event of its user',
    plant: (run) => removeItem(run, ({ to }, { uid }) => to.uid?.includes(uid) === true),
    says: /did not get \d+ for user/,
  },
  {
    title: 'a page misses an event of a room',
    plant: (run) =>
      removeItem(run, ({ to }, { stays }) =>
        stays.some(({ rid, from }) => from < 0 && to.rid?.includes(rid)),
      ),
    says: /did not get \d+ for room/,
  },
  {
    title: 'a page misses an event to all',
    plant: (run) => removeItem(run, ({ to }) => Object.keys(to).length === 0),
    says: /did not get \d+ for world/,
  },
  {
    title: 'a page gets an event twice',
    plant: (run) => {
      const { items, item } = middleItem(run)
      insertAfter(items, item)
    },
    says: /got \d+ twice/,
  },
  {
    title: 'a page gets events in another order',
    plant: (run) => {
      const { items } = middleItem(run)
      const [one, two] = pair(items.filter((each) => 'n' in each && !found(run.published[each.n]).transient))
      swap(items, one, two)
    },
    says: /got \d+ too late/,
  },
  {
    title: 'a page gets an event of another user',
    plant: (run) => {
      const { event } = middleItem(run)
      event.to = { uid: ['somebody-else'] }
    },
    says: /got \d+, which is for \{"uid":\["somebody-else"\]\}/,
  },
  {
    title: 'a page gets an event of a room that it is not in',
    plant: (run) => {
      const { event } = middleItem(run)
      event.to = { rid: ['hideout'] }
    },
    says: /got \d+, which is for \{"rid":\["hideout"\]\}/,
  },
  {
    title: 'a page gets an event of another session',
    plant: (run) => {
      const { event } = middleItem(run)
      event.to = { sid: ['another'] }
    },
    says: /got \d+, which is for \{"sid":\["another"\]\}/,
  },
  {
    title: 'a page gets an event that passes over its user',
    plant: (run) => {
      const { page, event } = middleItem(run)
      event.except = [page.uid]
    },
    says: /got \d+, which is for/,
  },
  {
    title: 'a page gets an event at another position',
    plant: (run) => {
      middleItem(run).item.position = 'elsewhere'
    },
    says: /got \d+ at elsewhere, and its place is/,
  },
  {
    title: 'a page gets an event from before it came',
    plant: (run) => {
      middleItem(run).page.askedAt = Number.POSITIVE_INFINITY
    },
    says: /got \d+, which is from before it came/,
  },
  {
    title: 'a page gets an event that was not published',
    plant: (run) => {
      middleItem(run).item.n = run.published.length + 1
    },
    says: /got \d+, which no node was given/,
  },
  {
    title: 'a page is told a gap, and nothing was lost',
    plant: (run) => {
      const { items, item } = middleItem(run)
      items.splice(items.indexOf(item), 0, { at: item.at, gap: ['world'], isNew: false })
    },
    says: /was told a gap of world, and nothing was lost/,
  },
  {
    title: 'the store lost data, and a page is not told',
    plant: (run) => {
      run.lostAt = [middleItem(run).item.at]
    },
    says: /was not told of what was lost/,
  },
]

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The run has nothing in which this fault could be planted.')
  return value
}

function middle<T>(list: readonly T[]): T {
  return found(list[Math.floor(list.length / 2)])
}

/** Two neighbours. */
function pair<T>(list: readonly T[]): [T, T] {
  const at = Math.floor(list.length / 2)
  return [found(list[at - 1]), found(list[at])]
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1)
}

function insertAfter<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item) + 1, 0, structuredClone(item))
}

function swap<T>(list: T[], one: T, two: T): void {
  const [at, other] = [list.indexOf(one), list.indexOf(two)]
  list[at] = two
  list[other] = one
}

function firstNode(nodes: Node[]): Node {
  return found(nodes[0])
}

/** What the first node was given. */
function deliveries(nodes: Node[]): Draft<Given>[] {
  return firstNode(nodes).log.filter((report) => report.is === 'deliver') as Draft<Given>[]
}

/** Adds a node that starts at the end, and is given the past as it should. */
function restarted({ nodes, published }: Run): Node {
  const past = deliveries(nodes).filter(({ n }) => !found(published[n]).transient)
  const log = past.map(({ at, n, position }): Draft<Report> => ({ is: 'restore', at, n, position }))
  const node: Node = { name: 'late', activity: 'local', log, killedAt: undefined }
  nodes.push(node)
  return node
}

/** Adds a node that is told of all activity as it should. */
function follower({ nodes, record }: Run): Node {
  const said = record.filter(({ isSaid }) => isSaid).flatMap(({ transitions }) => transitions)
  const log = said.map((transition): Draft<Report> => ({ is: 'activity', at: 0, ...transition }))
  const node: Node = { name: 'follower', activity: 'cluster', log, killedAt: undefined }
  nodes.push(node)
  return node
}

function has(transitions: readonly Transition[], type: UserActivityEvent.Type): boolean {
  return transitions.some((transition) => transition.type === type)
}

/** Finds a step in the record that is about one transition only, or about one of this type at least. */
function stepOf(record: Run['record'], type: UserActivityEvent.Type): Run['record'][number] {
  const alone = record.find(({ transitions }) => transitions.length === 1 && has(transitions, type))
  return found(alone ?? record.find(({ transitions }) => has(transitions, type)))
}

/** A page that is there from early on to the end. */
function longestPage({ pages }: Run): Page {
  const [page] = pages
    .filter(({ isCaughtUp }) => isCaughtUp)
    .toSorted((one, two) => two.items.length - one.items.length)
  return found(page)
}

/** An event that a page got, and that is replayed like most. */
function middleItem(run: Run): {
  page: Page
  items: Page['items']
  item: Draft<Got>
  event: Draft<Published>
} {
  const page = longestPage(run)
  const { items } = page
  const got = items.filter((each) => 'n' in each && !found(run.published[each.n]).transient)
  const item = middle(got) as Draft<Got>
  return { page, items, item, event: found(run.published[item.n]) }
}

/** Removes an event that a page has got, with others before and after it. */
function removeItem(run: Run, fits: (event: Draft<Published>, page: Page) => boolean | undefined): void {
  for (const page of run.pages.filter(({ isCaughtUp }) => isCaughtUp)) {
    const inside = page.items.slice(1, -1)
    const item = inside.find((each) => {
      if (!('n' in each)) return false
      const event = found(run.published[each.n])
      return !event.transient && event.at > page.since && fits(event, page)
    })
    if (item === undefined) continue
    remove(page.items, item)
    return
  }
  found(undefined)
}
