import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { NatsConnection } from '@nats-io/transport-node'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { Feed, FeedContext } from '../../adapters/nats/feed.ts'
import { type Incoming, IncomingReader } from '../../adapters/nats/incoming.ts'
import type { Link, LinkUser } from '../../adapters/nats/link.ts'
import { NatsNode } from '../../adapters/nats/node.ts'
import { Outgoing } from '../../adapters/nats/outgoing.ts'
import { Signer } from '../../adapters/nats/signature.ts'
import type { BrokerHandler, Envelope } from '../../lib/ports/broker.ts'
import { CAPTURED, SUBJECTS } from '../support/go-messages.ts'
import { mutation } from '../support/payload-mutations.ts'
import { sampled } from '../support/tier.ts'

/** Stands in every header and text that is not for the eyes of whoever reads the log. */
const CANARY = 'hunter2'

const signer = new Signer('secret of the namespace')

interface Valid {
  readonly subject: string
  readonly payload: Buffer
}

/** Adds a password to the headers, as metadata of a request is. */
function withPassword(payload: Buffer | string): Buffer {
  const { Header, Body } = JSON.parse(payload.toString())
  return Buffer.from(JSON.stringify({ Header: { ...Header, Authorization: CANARY }, Body }))
}

function published(envelope: Envelope): Valid[] {
  const outgoing = new Outgoing(envelope, SUBJECTS, { origin: 'n1.abc', server: CANARY })
  const messages = outgoing.messages(7, signer)
  return messages.map(({ subject, payload }) => ({ subject, payload: withPassword(payload) }))
}

const VALID: readonly Valid[] = [
  ...Object.values(CAPTURED).map((payload) => ({ subject: SUBJECTS.events, payload: withPassword(payload) })),
  ...published({ to: { uids: [`${CANARY}-1`, 'u2'] }, data: CANARY, except: { sids: ['s1'] } }),
  ...published({ to: { rids: ['r1'] }, event: 'tick', data: CANARY, transient: true }),
  ...published({ to: {}, data: CANARY }),
  ...published({ to: { sids: ['s1', CANARY] }, data: CANARY }),
]

const mutated = fc
  .tuple(fc.constantFrom(...VALID), mutation)
  .map(([{ subject, payload }, mutate]) => ({ subject, payload: mutate(payload) }))

const RUNS = { numRuns: sampled(200_000, 10_000) }

/** What the valid messages of Comets are read as: no change of them may be read as anything else from a Comet. */
const reader = new IncomingReader(SUBJECTS, signer, () => {})
const SIGNED = VALID.map(({ subject, payload }) => reader.read(subject, payload)).filter(
  (incoming) => incoming?.origin !== undefined,
)

function checkIncoming(incoming: Incoming | undefined, size: number): void {
  if (incoming === undefined) return
  if (incoming.origin !== undefined) {
    assert.ok(SIGNED.some((each) => isDeepStrictEqual(each, incoming)))
    return
  }
  const { to, data, ...others } = incoming.envelope
  assert.deepEqual(others, {})
  assert.equal(typeof data, 'string')
  const ids = to.uids ?? to.rids ?? []
  assert.deepEqual(Object.keys(to).length, ids.length)
  for (const id of ids) {
    assert.match(id, /^[^\r\n\0]+$/)
    assert.ok(id.isWellFormed())
  }
  assert.ok(data.length + ids.join('').length <= size)
}

describe('A payload that is changed at random', () => {
  it('is read as an event that it may be, or refused with an error that says nothing of it', () => {
    let [read, refused] = [0, 0]
    fc.assert(
      fc.property(mutated, ({ subject, payload }) => {
        try {
          checkIncoming(reader.read(subject, payload), payload.length)
          read += 1
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error
          refused += 1
          assert.ok(error instanceof Error)
          assert.equal(error.name, 'CometError')
          assert.ok(!inspect(error).includes(CANARY), inspect(error))
        }
      }),
      RUNS,
    )
    assert.ok(read > RUNS.numRuns / 20 && refused > RUNS.numRuns / 20, `${read} read, ${refused} refused`)
  })

  it('is counted by a node, which never throws, and reports it once a minute without a word of it', async () => {
    const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
    const reports: Error[] = []
    let read: FeedContext['read'] | undefined
    const node = makeNode(
      (error) => reports.push(error),
      (context) => {
        read = context.read
      },
    )
    try {
      await node.ready
      fc.assert(
        fc.property(mutated, ({ subject, payload }) =>
          checkIncoming(read?.(subject, payload), payload.length),
        ),
        RUNS,
      )
      // Nested deeper than the stack: not only errors of Comet are counted.
      const body = Buffer.from(`{"evt":${'['.repeat(300_000)}${']'.repeat(300_000)}}`).toString('base64')
      const deep = JSON.stringify({ Header: { 'Content-Type': 'application/json' }, Body: body })
      assert.equal(read?.(SUBJECTS.events, Buffer.from(deep)), undefined)
      assert.equal(reports.length, 1)
      clock.tick(60_000)
      assert.equal(reports.length, 2)
      assert.match(reports[1]?.message ?? '', / 1 on io\.goeasy\.service\.comet: It cannot be read\./)
      for (const report of reports) assert.ok(!inspect(report).includes(CANARY), inspect(report))
      clock.tick(600_000)
      assert.equal(reports.length, 2)
    } finally {
      await node.close()
      clock.uninstall()
    }
  })
})

function makeNode(onError: (error: Error) => void, onContext: (context: FeedContext) => void): NatsNode {
  const handler = {
    id: 'n1',
    namespace: 'io.goeasy',
    server: 's1',
    receives: true,
    history: { age: 0, bytes: 0 },
    secret: async () => 'secret of the namespace',
    onError,
    onStatus: () => {},
  } as unknown as BrokerHandler
  const link = {
    use(user: LinkUser) {
      user.onConnected({} as NatsConnection)
      return async () => {}
    },
  } as unknown as Link
  return new NatsNode(handler, link, {
    secret: 'secret of the namespace',
    makeFeed: (context) => {
      onContext(context)
      return { open: async () => {}, close() {} } as unknown as Feed
    },
  })
}
