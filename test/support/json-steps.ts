import { Session } from 'node:inspector/promises'

/** How many steps lib/protocol/json.ts takes to read a time, from a text and from one of twice the size. */
export type JsonSteps = Readonly<
  Record<'Message' | 'UserActivityEvent', readonly [once: number, twice: number]>
>

/** Run as a process of its own: it counts with V8's coverage, which c8 needs for itself. */
const inspector = new Session()
inspector.connect()
await inspector.post('Profiler.enable')
// Code that was compiled before would not be counted.
await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
const { parseMessage, parseUserActivityEvent } = await import('../../lib/index.ts')

const steps: JsonSteps = {
  Message: [await count(parseMessage, 1_000), await count(parseMessage, 2_000)],
  UserActivityEvent: [await count(parseUserActivityEvent, 1_000), await count(parseUserActivityEvent, 2_000)],
}
process.stdout.write(JSON.stringify(steps))

/** Counts how often the blocks of the file run, the bodies of its loops among them. */
async function count(parse: (text: string) => { readonly time: bigint }, size: number): Promise<number> {
  const members = '"time":1,"\\u0041":"\\"",'.repeat(2 * size)
  const nested = `${'[{"time":'.repeat(size)}1${'}]'.repeat(size)}`
  const text = `{${members}"x":${nested},"time":7000000000000000007}`
  // Coverage is counted from the last time that it was taken.
  await inspector.post('Profiler.takePreciseCoverage')
  const { time } = parse(text)
  const { result } = await inspector.post('Profiler.takePreciseCoverage')
  if (time !== 7000000000000000007n) throw new Error(`read ${time}`)
  const { functions = [] } = result.find(({ url }) => url.includes('lib/protocol/json.ts')) ?? {}
  const counts = functions.flatMap(({ ranges }) => ranges.map((range) => range.count))
  return counts.reduce((sum, each) => sum + each, 0)
}
