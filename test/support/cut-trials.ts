import type { Comet } from '../../lib/index.ts'
import { type Cut, type CutKind, CuttingProxy } from './cutting-proxy.ts'
import { Inbox, scaled, within } from './inbox.ts'

/** An event that a client dispatched. */
export interface Seen {
  readonly type: string
  readonly data: string
}

/** The names of the events that a client listens to. */
export const EVENT_NAMES = [
  'message',
  'numbered',
  'comet.none',
  'comet.ready',
  'comet.gap',
  'comet.heartbeat',
  'comet.close',
]

/** The number of events in a stream that is cut. */
const EVENTS = 50

/** Published once the cut has happened: what comes before it is lost for good if it did not arrive. */
const LAST = 'that is all'

/** How long a client may take to come back twice: some wait for five seconds when they got no `retry:`. */
const PATIENCE_MS = scaled(30_000)

/** `live`: the events are published while the client is there. `replay`: while it is away. */
export type Phase = 'live' | 'replay'

/** A client whose connection is cut once while it gets its events. */
export interface Trial {
  /** The user, of whom this is the only client. */
  readonly uid: string
  readonly phase: Phase
  readonly kind: CutKind
  /** Where the stream that brings the events is cut, see {@link Cut}. */
  readonly at: Cut['at']
}

/** Opens a client, which reports what it dispatches. @returns closes it */
export type OpenClient = (
  url: string,
  report: (seen: Seen) => void,
) => (() => unknown) | Promise<() => unknown>

/** Not only ASCII, and of several lines, in which connections are cut. Every other one goes out as a named event. */
const EVTS = Array.from({ length: EVENTS }, (_, n) => `${n} smörgåsbord 🙂\nof ${'.'.repeat(n % 30)}`)

/**
 * Runs a trial.
 *
 * @returns what the client dispatched, in order
 */
export async function runTrial(
  comet: Comet,
  proxy: CuttingProxy,
  { uid, phase, kind, at }: Trial,
  open: OpenClient,
): Promise<readonly Seen[]> {
  const inbox = new Inbox<Seen>()
  const cut = { kind, at }
  const done = proxy.plan(uid, phase === 'live' ? [cut] : [undefined, cut])
  const close = await open(`${proxy.origin}/comet?u=${uid}`, (seen) => inbox.push(seen))
  try {
    await inbox.next(({ type }) => type === 'comet.ready', 'comet.ready', PATIENCE_MS)
    if (phase === 'replay') proxy.cut(uid, kind)
    for (const [n, evt] of EVTS.entries()) {
      // Several events go out in one write, but not all.
      if (n % 10 === 0) await new Promise(setImmediate)
      if (n % 2 === 0) comet.publish({ uid, evt })
      else comet.publish({ uid, event: 'numbered', data: { text: evt } })
    }
    await within(done, 'the cut', PATIENCE_MS)
    await comet.publish({ uid, evt: LAST })
    await inbox.next(({ data }) => data === LAST, 'last event', PATIENCE_MS)
    return inbox.all
  } finally {
    await close()
  }
}

/** Finds what is wrong with what a client dispatched, in words. */
export function problemsOf(seen: readonly Seen[]): string[] {
  const problems: string[] = []
  const got = textsOf(seen)
  const wanted = [...EVTS, LAST]
  const lost = wanted.filter((evt) => !got.includes(evt))
  const doubled = wanted.filter((evt) => got.indexOf(evt) !== got.lastIndexOf(evt))
  const garbled = got.filter((evt) => !wanted.includes(evt))
  for (const [what, evts] of Object.entries({ lost, doubled, garbled })) {
    if (evts.length > 0) problems.push(`${what}: ${evts.map((evt) => JSON.stringify(evt.slice(0, 40)))}`)
  }
  if (problems.length === 0 && got.join() !== wanted.join()) problems.push('not in order')
  for (const { type, data } of seen) {
    if (type === 'comet.ready' && !isReady(data)) problems.push(`corrupt comet.ready: ${data}`)
    if (type === 'comet.gap' || type === 'comet.close') problems.push(`${type}: ${data}`)
  }
  return problems
}

/** The texts of the published events. */
function textsOf(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ type, data }) => {
    if (type === 'numbered') return [textOf(data)]
    return type === 'message' ? [data] : []
  })
}

/** The text in a named event. One that was cut amid may come as something else. */
function textOf(data: string): string {
  try {
    return String(JSON.parse(data).text)
  } catch {
    return data
  }
}

/** Counts the events that are missing. */
export function lossesOf(seen: readonly Seen[]): number {
  const got = textsOf(seen)
  return EVTS.filter((evt) => !got.includes(evt)).length
}

function isReady(data: string): boolean {
  try {
    return typeof JSON.parse(data).sid === 'string'
  } catch {
    return false
  }
}

/**
 * Reads the streams that trials cut.
 *
 * @returns the bytes of each, each byte as one character
 */
export async function readStreams(
  comet: Comet,
  port: number,
  open: OpenClient,
): Promise<Record<Phase, string>> {
  const proxy = await CuttingProxy.to(port)
  const streams = { live: '', replay: '' }
  try {
    for (const phase of ['live', 'replay'] as const) {
      const isWhole = (body: string) => {
        streams[phase] = body
        return body.includes(`"text":"${EVENTS - 1} `) && body.endsWith('\n\n') ? body.length : undefined
      }
      await runTrial(comet, proxy, { uid: `probe-${phase}`, phase, kind: 'end', at: isWhole }, open)
    }
  } finally {
    proxy.close()
  }
  return streams
}
