import assert from 'node:assert/strict'
import { MemoryBroker } from '../../lib/index.ts'
import { type AppOptions, identifyByHeader, type TestApp, untilNoSockets, untilSessions } from './apps.ts'
import { connect, postPacket, startStream } from './clients.ts'
import { gatedPresence } from './gated-presence.ts'
import { Gate, until } from './inbox.ts'

export const alice = { path: '?rid=lobby', headers: { 'x-user': 'alice' } }

/** What Comet asks before a stream begins, in this order. */
export const STAGES = ['identify', 'canEnter', 'presence'] as const

type Stage = (typeof STAGES)[number]

/** An app that lets a test decide when each stage answers. */
export interface GatedApp {
  readonly app: TestApp
  /** `packet` is the `identify` of packets. */
  readonly gates: Readonly<Record<Stage | 'packet', Gate>>
  /** The types of the activity so far. */
  readonly activity: readonly string[]
  /** How often `canEnter` was asked. */
  asked(): number
  /** Lets every stage answer, all but one. */
  openAll(but?: Stage): void
}

/** @param start starts the app with these options, and others of the test */
export async function startGatedApp(start: (options: AppOptions) => Promise<TestApp>): Promise<GatedApp> {
  const gates = { identify: new Gate(), canEnter: new Gate(), presence: new Gate(), packet: new Gate() }
  const activity: string[] = []
  let asked = 0
  const broker = new MemoryBroker()
  const app = await start({
    identify: async (req) => {
      await (req.method === 'POST' ? gates.packet : gates.identify).pass()
      return identifyByHeader(req)
    },
    comet: {
      broker,
      presence: gatedPresence(broker.presence, gates.presence),
      canEnter: async () => {
        asked += 1
        await gates.canEnter.pass()
        return true
      },
      offlineGrace: 0,
    },
  })
  app.comet.on('activity', ({ type }) => activity.push(String(type)))
  return {
    app,
    gates,
    activity,
    asked: () => asked,
    openAll: (but) => {
      for (const stage of STAGES) if (stage !== but) gates[stage].open()
    },
  }
}

/** Every client has left: whatever is still going on must end without a trace. */
async function assertNothingIsLeft({ app, gates, activity }: GatedApp): Promise<void> {
  await untilNoSockets(app)
  await untilSessions(app, 0)
  for (const gate of Object.values(gates)) gate.open()
  await until(async () => !(await app.comet.isOnline('alice')), 'offline')
  const { sessions, users, rooms } = app.comet.stats()
  assert.deepEqual([sessions, users, rooms], [0, 0, 0])
  const count = (type: string) => activity.filter((each) => each === type).length
  assert.equal(count('1'), count('2'), 'ONLINE as often as OFFLINE')
}

/** A client goes while a stage has not answered yet. */
export async function leaveBefore(stage: Stage, gated: GatedApp): Promise<void> {
  gated.openAll(stage)
  const client = startStream(gated.app, alice)
  await gated.gates[stage].arrival()
  client.destroy()
  await assertNothingIsLeft(gated)
  assert.equal(gated.asked(), stage === 'identify' ? 0 : 1)
  if (stage !== 'presence') {
    assert.deepEqual([gated.app.comet.stats().connections, gated.activity], [0, []])
  }
}

/** A client goes right after the head of the response. */
export async function leaveAfterHead(gated: GatedApp): Promise<void> {
  gated.openAll()
  const { destroy } = await startStream(gated.app, alice).opened
  destroy()
  await assertNothingIsLeft(gated)
  assert.deepEqual(gated.activity, ['1', '4', '5', '2'])
}

/** A client goes while large events are on their way. */
export async function leaveWhileWritten(gated: GatedApp): Promise<void> {
  gated.openAll()
  const { destroy } = await connect(gated.app, 'alice', alice)
  for (let i = 0; i < 50; i++) void gated.app.comet.publish({ uid: 'alice', evt: 'x'.repeat(100_000) })
  destroy()
  await assertNothingIsLeft(gated)
}

/** A client goes before `identify` has answered for its BYE, which must have no effect. */
export async function leaveWithPacket(gated: GatedApp): Promise<void> {
  const { app, gates, activity } = gated
  gated.openAll()
  const { sid, destroy } = await connect(app, 'alice', alice)
  const before = activity.length
  const headers = { 'x-user': 'alice', 'content-type': 'application/json' }
  const packet = startStream(app, { method: 'POST', path: `/${sid}`, headers, body: '{"type":"BYE"}' })
  await gates.packet.arrival()
  packet.destroy()
  await until(() => app.sockets.size === 1, 'gone')
  gates.packet.open()
  assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
  assert.deepEqual(activity.slice(before), ['3'])
  destroy()
  await assertNothingIsLeft(gated)
}
