import assert from 'node:assert/strict'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { lossesOf, problemsOf, readStreams, runTrial, type Seen, type Trial } from '../support/cut-trials.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { scaled } from '../support/inbox.ts'
import { type Library, libraries } from '../support/library-clients.ts'
import { Random } from '../support/random.ts'
import { figure, isSoak, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

/** The number of clients that are there side by side. */
const AT_ONCE = 300

/** The cuts that a client tries of each stream, in the sample: at random tenth bytes. */
const SAMPLE = 8

interface Task extends Omit<Trial, 'uid'> {
  readonly library: Library
  readonly where: string
}

/** The end of the line of an `id:`, before the empty line that ends its block. */
const AFTER_ID_LINE = /(^|\n)id: [^\n]*\n$/

const AFTER_AN_ID = 'between the line of an id and the empty line'

/** Cuts after a number of bytes. For a client that takes an id by its line: not between that line and the empty line. */
function cutAfter(bytes: number, takesIdByLine: boolean): Trial['at'] {
  return (body) => {
    const place = takesIdByLine && AFTER_ID_LINE.test(body.slice(0, bytes)) ? bytes + 1 : bytes
    return body.length < place ? undefined : place
  }
}

/** Cuts between the line of the id of an event and the empty line. */
function cutAfterIdOf(n: number): Trial['at'] {
  return (body) => {
    const block = new RegExp(`data: (?:{"text":")?${n} .*?\\nid: [^\\n]*\\n(?=\\n)`, 's').exec(body)
    return block === null ? undefined : block.index + block[0].length
  }
}

describe('Clients for Node.js whose connections are cut', function () {
  this.timeout(scaled(isSoak ? 600_000 : 60_000))

  const results = new Map<Task, readonly Seen[] | Error>()
  let app: TestApp
  let proxy: CuttingProxy

  before(async () => {
    // So that thousands of users keep their events, however fast the machine is.
    const historyBytes = 1_073_741_824
    app = await startApp(nodeHttp, { comet: { retry: 1_000, heartbeatInterval: 0, historyBytes } })
    proxy = await CuttingProxy.to(app.port)
    const tasks = await makeTasks()
    for (let from = 0; from < tasks.length; from += AT_ONCE) {
      const run = async (task: Task, index: number) => {
        const trial = { ...task, uid: `u-${from + index}` }
        const result = await runTrial(app.comet, proxy, trial, task.library.open).catch((error) => error)
        results.set(task, result)
      }
      await Promise.all(tasks.slice(from, from + AT_ONCE).map(run))
    }
  })
  after(async () => {
    proxy?.close()
    await app?.close()
  })

  async function makeTasks(): Promise<Task[]> {
    const open = libraries.find(({ name }) => name === 'eventsource 4')?.open as Library['open']
    const streams = await readStreams(app.comet, app.port, open)
    const random = new Random()
    const tasks: Task[] = []
    for (const library of libraries) {
      for (const phase of ['live', 'replay'] as const) {
        for (const kind of ['end', 'reset'] as const) {
          const tenths = Array.from(
            { length: Math.floor(streams[phase].length / 10) },
            (_, index) => 10 * index,
          )
          const places = sampled(
            tenths,
            Array.from({ length: SAMPLE }, () => random.pick(tenths)),
          )
          for (const bytes of places) {
            const at = cutAfter(bytes, library.takesIdByLine)
            tasks.push({ library, phase, kind, at, where: `${phase}, ${kind} after ${bytes} bytes` })
          }
          const at = cutAfterIdOf(random.int(0, 49))
          tasks.push({ library, phase, kind, at, where: AFTER_AN_ID })
        }
      }
    }
    return tasks
  }

  /** What a client dispatched in its trials, by the place of the cut. */
  function trialsOf(library: Library): { readonly where: string; readonly seen: readonly Seen[] }[] {
    return Array.from(results)
      .filter(([task]) => task.library === library)
      .map(([{ where }, seen]) => {
        if (seen instanceof Error) throw new Error(`${where}: ${seen.message}`, { cause: seen })
        return { where, seen }
      })
  }

  for (const library of libraries) {
    const { name, takesIdByLine, dispatchesEmpty } = library
    const exception = takesIdByLine ? `, except ${AFTER_AN_ID}` : ''

    it(`${name} gets every event once and in order, and reads each comet.ready, cut anywhere${exception}`, () => {
      const trials = trialsOf(library).filter(({ where }) => !takesIdByLine || where !== AFTER_AN_ID)
      figure(name, `${trials.length} cuts`)
      const problems = trials.flatMap(({ where, seen }) =>
        problemsOf(seen).map((each) => `${where}: ${each}`),
      )
      assert.deepEqual(problems, [])
    })

    // No server can mend this: the client claims the event by the id, and the last byte of the event is still to come.
    if (takesIdByLine) {
      it(`${name} loses no more than that event when it is cut ${AFTER_AN_ID}`, () => {
        const trials = trialsOf(library).filter(({ where }) => where === AFTER_AN_ID)
        for (const { seen } of trials) {
          assert.ok(lossesOf(seen) <= 1)
          const others = problemsOf(seen).filter((problem) => !problem.startsWith('lost: '))
          assert.deepEqual(others, [])
        }
      })
    }

    const nones = () =>
      trialsOf(library).flatMap(({ seen }) => seen.filter(({ type }) => type === 'comet.none'))

    if (dispatchesEmpty) {
      it(`${name} dispatches comet.none, with empty data`, () => {
        assert.deepEqual(new Set(nones().map(({ data }) => data)), new Set(['']))
      })
    } else {
      it(`${name} does not dispatch comet.none${name === 'eventsource 2' ? ', except with half an event' : ''}`, () => {
        const halves = nones().filter(({ data }) => data === '' || name !== 'eventsource 2')
        assert.deepEqual(halves, [])
      })
    }
  }
})
