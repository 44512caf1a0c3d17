import { Comet, type CometOptions } from '../../lib/index.ts'
import { MemoryTransport } from './memory-transport.ts'

/** What a Comet retains of large documents that the texts it was given were cut out of, in bytes. */
export interface RetainedHeap {
  readonly name: string
  readonly held: number
  /** The bytes that the history accounts for, and 4 KiB for each session. */
  readonly accounted: number
}

const DOCUMENT_BYTES = 100_000
const COUNT = 300

/** A client that keeps nothing of what it is sent. */
class QuietTransport extends MemoryTransport {
  override open(): boolean {
    return true
  }
  override write(): boolean {
    return true
  }
}

/** A client that reads nothing. */
class StalledTransport extends QuietTransport {
  override open(): boolean {
    return false
  }
}

/** Publishes more than one piece of a replay. @returns the position before it */
async function catchUp(comet: Comet): Promise<string> {
  await comet.publish({ evt: 'first' })
  for (let index = 0; index < 5; index += 1) await comet.publish({ evt: 'x'.repeat(60_000) })
  return comet.history({})[0]?.position ?? ''
}

/** A document that shares no memory with another. Begins with its number. */
function document(index: number): string {
  return Buffer.allocUnsafeSlow(DOCUMENT_BYTES).fill(`${index}-word `).toString('latin1')
}

/** A text of 40 characters that is a part of a document: V8 keeps the whole document for it. */
const cut = (index: number): string => document(index).slice(0, 40)

/** A text that is put together of many pieces: V8 keeps the pieces until somebody reads the text. */
function pieces(index: number): string {
  let text = `${index}`
  while (text.length < 10_000) text += 'x'
  return text
}

const connect = (comet: Comet, index: number) =>
  comet.connect({
    identity: { uid: cut(index), rooms: [cut(index)], info: { name: cut(index), tags: [cut(index)] } },
    transport: new QuietTransport(),
    rids: [`by url ${cut(index)}`],
    clientId: cut(index),
  })

/** Run as a process of its own, with `--expose-gc`. */
const LOADS: readonly {
  readonly name: string
  readonly sessions?: number
  readonly options?: CometOptions
  readonly run: (comet: Comet, index: number) => unknown
}[] = [
  { name: 'events cut out by slice', run: (comet, index) => comet.publish({ rid: 'den', evt: cut(index) }) },
  {
    name: 'events cut out by a regular expression',
    run: (comet, index) => comet.publish({ rid: 'den', evt: /\d+-.{50}/.exec(document(index))?.[0] ?? '' }),
  },
  {
    name: 'events cut out of text that is not Latin-1',
    run: (comet, index) => comet.publish({ evt: `${document(index)}€`.slice(-40) }),
  },
  {
    name: 'events cut out of JSON',
    run: (comet, index) => {
      const json = JSON.stringify({ name: cut(index), text: document(index) })
      return comet.publish({ evt: JSON.parse(json).name })
    },
  },
  { name: 'events put together of pieces', run: (comet, index) => comet.publish({ evt: pieces(index) }) },
  {
    name: 'messages with cut data',
    run: (comet, index) => comet.publish({ evt: { event: cut(index), data: cut(index) } }),
  },
  { name: 'events to cut rooms', run: (comet, index) => comet.publish({ rid: cut(index), evt: 'hi' }) },
  { name: 'events to cut users', run: (comet, index) => comet.publish({ uid: cut(index), evt: 'hi' }) },
  {
    name: 'events that pass over cut users',
    run: (comet, index) => comet.publish({ evt: 'hi' }, { except: { uid: cut(index) } }),
  },
  {
    name: 'events to cut rooms that find no room',
    options: { historyBytes: 50_000, maxEventBytes: 100_000 },
    run: (comet, index) => comet.publish({ rid: cut(index), evt: document(index) }),
  },
  { name: 'sessions with cut ids, rooms and info', sessions: COUNT, run: connect },
  {
    name: 'users that enter cut rooms',
    sessions: 1,
    run: async (comet, index) => {
      if (index === 0) await comet.connect({ identity: 'alice', transport: new QuietTransport() })
      await comet.enter({ uid: 'alice' }, cut(index))
    },
  },
  {
    name: 'small events for a client that is catching up, among many others',
    run: async (comet, index) => {
      if (index === 0) {
        const position = await catchUp(comet)
        await comet.connect({ identity: 'alice', position, transport: new StalledTransport() })
      }
      await comet.publish({ uid: 'alice', evt: 'hi' }, { transient: true })
      for (let other = 0; other < 100; other += 1) {
        await comet.publish({ uid: 'bob', evt: 'x'.repeat(200) }, { transient: true })
      }
    },
  },
  {
    name: 'few of the many sessions that came',
    sessions: COUNT,
    run: async (comet, index) => {
      await comet.connect({ identity: `user ${index}`, transport: new QuietTransport() })
      for (let other = 0; other < 300; other += 1) {
        const transport = new QuietTransport()
        await comet.connect({ identity: { anonymous: true }, transport })
        transport.drop()
      }
    },
  },
]

const heaps: RetainedHeap[] = []
for (const load of LOADS) heaps.push(await fill(load))
process.stdout.write(JSON.stringify(heaps))
process.exit()

async function fill({
  name,
  sessions = 0,
  options = {},
  run,
}: (typeof LOADS)[number]): Promise<RetainedHeap> {
  const comet = new Comet({ canEnter: () => true, offlineGrace: 0, ...options })
  // The code is compiled, and the heap has its size.
  for (let index = 0; index < 20; index += 1) await run(comet, index)
  const before = used()
  const { bytes } = comet.stats().history
  for (let index = 20; index < 20 + COUNT; index += 1) await run(comet, index)
  await new Promise(setImmediate)
  const held = used() - before
  // Read last, so that the Comet is not collected before.
  return { name, held, accounted: comet.stats().history.bytes - bytes + 4_096 * sessions }
}

function used(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
