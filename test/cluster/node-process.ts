import type { CometOptions } from '../../lib/index.ts'
import { ClusterNode, codeOf, type Task } from './cluster-node.ts'
import type { Report } from './observations.ts'
import { connectPorts } from './ports.ts'

/** What a node's process is told when it starts, as JSON. */
export interface NodeSettings {
  readonly options: CometOptions
  /** The port of Redis, or of a proxy in front of it. */
  readonly redis: number
  /** The port of nats-server, or of a proxy in front of it: then its JetStream carries the events. */
  readonly nats?: number | undefined
  readonly library: 'redis' | 'ioredis'
  /** How long the node counts as alive without a sign of life, in milliseconds. */
  readonly lease: number
}

/** A message to a node's process. */
export interface Question {
  readonly id: number
  readonly task: Task
}

/** A message from a node's process. */
export type Word =
  | { readonly is: 'listening'; readonly port: number }
  | { readonly is: 'answer'; readonly id: number; readonly value?: unknown; readonly code?: string }
  | { readonly is: 'reports'; readonly reports: readonly Report[] }

/** Run as a process of its own, with an IPC channel: `node-process.ts <NodeSettings as JSON>`. It ends with its parent. */
const settings = JSON.parse(process.argv[2] ?? '{}') as NodeSettings
const say = (word: Word) => process.send?.(word)
process.once('disconnect', () => process.exit())

let reports: Report[] = []
const node = new ClusterNode(await connectPorts(settings), settings.options, (report) => {
  // One message a turn: a message for each event would cost more than the event.
  if (reports.length === 0) setImmediate(flush)
  reports.push(report)
})

function flush(): void {
  if (reports.length > 0) say({ is: 'reports', reports })
  reports = []
}

process.on('message', async ({ id, task }: Question) => {
  try {
    const value = await node.do(task)
    flush()
    say({ is: 'answer', id, value })
  } catch (error) {
    flush()
    say({ is: 'answer', id, code: codeOf(error) })
  }
  if (task.do === 'close') process.disconnect()
})

await node.comet.ready
say({ is: 'listening', port: await node.listen() })
