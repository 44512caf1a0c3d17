import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { type CutPlace, cutPlaces } from '../support/cut-places.ts'
import {
  EVENT_NAMES,
  type OpenClient,
  problemsOf,
  runTrial,
  type Seen,
  type Trial,
} from '../support/cut-trials.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { type EnginePage, engines } from '../support/engines.ts'
import { scaled } from '../support/inbox.ts'
import { Random } from '../support/random.ts'
import { figure, isSoak, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

/** The cuts of each kind in the sample. */
const SAMPLE = 10

/** Browsers open at most six connections to one server. One is left for a connection that is about to be closed. */
const PER_SERVER = 5

/** How often the page is asked for what it got. */
const POLL_MS = 50

/** Runs in the page. */
const SCRIPT = `
  const sources = {}
  let seen = []
  function start(url) {
    const source = (sources[url] = new EventSource(url))
    for (const name of ${JSON.stringify(EVENT_NAMES)})
      source.addEventListener(name, ({ type, data }) => seen.push({ url, type, data }))
    return true
  }
  function stop(url) {
    sources[url].close()
    return true
  }
  function take() {
    const taken = seen
    seen = []
    return taken
  }
`

/** Kinds of cuts: in a live stream or in a replay, seen as a clean end or as a reset. */
const KINDS = (['live', 'replay'] as const).flatMap((phase) =>
  (['end', 'reset'] as const).map((kind) => ({ phase, kind })),
)

interface Task extends Omit<Trial, 'uid'>, CutPlace {}

for (const engine of engines) {
  describe(`EventSource in ${engine.name}, whose connection is cut`, function () {
    this.timeout(scaled(isSoak ? 600_000 : 240_000))

    const results = new Map<Task, readonly Seen[] | Error>()
    let app: TestApp | undefined
    let page: EnginePage | undefined
    const proxies: CuttingProxy[] = []

    before(async function () {
      page = await engine.openPage(this)
      app = await startApp(nodeHttp, {
        comet: { retry: 1_000, heartbeatInterval: 0 },
        before: [servePage],
      })
      await page.goto(`${app.origin}/page`)
      await runAll(app, page)
    })
    after(async () => {
      await page?.close()
      for (const proxy of proxies) proxy.close()
      await app?.close()
    })

    async function runAll({ comet, port }: TestApp, opened: EnginePage): Promise<void> {
      const tasks = makeTasks().entries()
      const reports = new Map<string, (seen: Seen) => void>()
      const open = opener(opened, reports)
      /** Runs one task after the other, until none is left. */
      const work = async (proxy: CuttingProxy) => {
        for (const [index, task] of tasks) {
          const trial = { ...task, uid: `u-${index}` }
          results.set(task, await runTrial(comet, proxy, trial, open).catch((error) => error))
        }
      }
      const workers: Promise<void>[] = []
      for (let made = 0; made < engine.connections; made += PER_SERVER) {
        const proxy = await CuttingProxy.to(port)
        proxies.push(proxy)
        for (let each = 0; each < PER_SERVER; each += 1) workers.push(work(proxy))
      }
      let isOver = false
      const polling = poll(opened, reports, () => isOver)
      await Promise.all(workers)
      isOver = true
      await polling
    }

    for (const { phase, kind } of KINDS) {
      it(`gets every event once and in order, and reads each comet.ready: ${phase}, by ${kind}`, () => {
        const own = Array.from(results).filter(([task]) => task.phase === phase && task.kind === kind)
        figure(`${engine.name}, ${phase}, by ${kind}`, `${own.length} cuts`)
        const problems = own.flatMap(([{ where }, result]) =>
          (result instanceof Error ? [result.message] : problemsOf(result)).map(
            (each) => `${where}: ${each}`,
          ),
        )
        assert.deepEqual(problems, [])
      })
    }

    it('does not dispatch comet.none, except with half an event', () => {
      const nones = Array.from(results.values()).flatMap((result) =>
        result instanceof Error ? [] : result.filter(({ type }) => type === 'comet.none'),
      )
      figure(`${engine.name}, half events`, `${nones.length}`)
      assert.deepEqual(
        nones.filter(({ data }) => data === ''),
        [],
      )
      if (engine.name !== 'WebKitGTK') assert.deepEqual(nones, [])
    })
  })
}

function makeTasks(): Task[] {
  const random = new Random()
  return KINDS.flatMap(({ phase, kind }) => {
    const places = cutPlaces(phase, random)
    const some = sampled(
      places,
      Array.from({ length: SAMPLE }, () => random.pick(places)),
    )
    return some.map((place) => ({ ...place, phase, kind }))
  })
}

/** Opens an EventSource in the page. What it dispatches is reported by {@link poll}. */
function opener(page: EnginePage, reports: Map<string, (seen: Seen) => void>): OpenClient {
  return async (url, report) => {
    reports.set(url, report)
    await page.evaluate(`start(${JSON.stringify(url)})`)
    return () => page.evaluate(`stop(${JSON.stringify(url)})`)
  }
}

async function poll(
  page: EnginePage,
  reports: ReadonlyMap<string, (seen: Seen) => void>,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const taken = (await page.evaluate('take()')) as (Seen & { readonly url: string })[]
    for (const { url, type, data } of taken) reports.get(url)?.({ type, data })
    await sleep(POLL_MS)
  }
}

/** Serves the page, and lets it read streams from the ports of the proxies. */
function servePage({ url = '' }: IncomingMessage, res: ServerResponse, next: () => void) {
  res.setHeader('Access-Control-Allow-Origin', '*')
  if (!url.startsWith('/page')) return next()
  res.setHeader('Content-Type', 'text/html')
  res.end(`<!doctype html><title>Page</title><link rel="icon" href="data:,"><script>${SCRIPT}</script>`)
}
