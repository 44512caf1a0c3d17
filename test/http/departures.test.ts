import assert from 'node:assert/strict'
import { MemoryBroker, type Presence } from '../../lib/index.ts'
import { connect, head, openSocket, postPacket, startStream } from '../support/clients.ts'
import {
  adapters,
  type Host,
  http1Adapters,
  type Identify,
  identifyByHeader,
  untilNoSockets,
} from '../support/http.ts'
import { Gate, until } from '../support/inbox.ts'
import { parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const alice = { path: '?rid=lobby', headers: { 'x-user': 'alice' } }

/** Where a client may be when it leaves. */
const stages = ['identify', 'canEnter', 'presence'] as const

for (const adapter of adapters) {
  for (const parser of parsersOf(adapter).slice(0, 2)) {
    describe(`A client that leaves behind ${adapter.name} with ${parser.name}`, () => {
      let gates: Record<(typeof stages)[number] | 'packet', Gate>
      let activity: string[]
      let asked: number
      let host: Host

      beforeEach(async () => {
        gates = { identify: new Gate(), canEnter: new Gate(), presence: new Gate(), packet: new Gate() }
        activity = []
        asked = 0
        const { identify, canEnter, presence, packet } = gates
        const broker = new MemoryBroker()
        host = await adapter.host({
          before: parser.before,
          identify: async (req) => {
            await (req.method === 'POST' ? packet : identify).pass()
            return identifyByHeader(req)
          },
          comet: {
            broker,
            presence: slowPresence(broker.presence, presence),
            canEnter: async () => {
              asked += 1
              await canEnter.pass()
              return true
            },
            offlineGrace: 0,
          },
        })
        host.comet.on('activity', ({ type }) => activity.push(String(type)))
      })
      afterEach(() => host.close())

      /** @param mayFail Koa says by itself that a write failed */
      const nothingIsLeft = async ({ mayFail = false } = {}) => {
        await untilNoSockets(host)
        await until(() => host.comet.stats().sessions === 0, 'without sessions')
        // What is still going on has to end without a trace.
        for (const gate of Object.values(gates)) gate.open()
        await until(async () => !(await host.comet.isOnline('alice')), 'offline')
        const { sessions, users, rooms } = host.comet.stats()
        assert.deepEqual([sessions, users, rooms], [0, 0, 0])
        assert.equal(
          activity.filter((type) => type === '1').length,
          activity.filter((type) => type === '2').length,
        )
        assert.deepEqual([host.errors, mayFail ? [] : host.failures], [[], []])
      }

      for (const stage of stages) {
        it(`leaves nothing behind when it is gone before ${stage} has answered`, async () => {
          for (const each of stages) if (each !== stage) gates[each].open()
          const client = startStream(host, alice)
          await gates[stage].arrival()
          client.destroy()
          await nothingIsLeft()
          assert.equal(asked, stage === 'identify' ? 0 : 1)
          if (stage !== 'presence') assert.deepEqual([host.comet.stats().connections, activity], [0, []])
        })
      }

      it('leaves nothing behind when it is gone right after the head of the response', async () => {
        for (const gate of Object.values(gates)) gate.open()
        const client = startStream(host, alice)
        const stream = await client.opened
        stream.destroy()
        await nothingIsLeft()
        assert.deepEqual(activity, ['1', '4', '5', '2'])
      })

      it('leaves nothing behind when it is gone while much is on its way', async () => {
        for (const gate of Object.values(gates)) gate.open()
        const { destroy } = await connect(host, 'alice', alice)
        for (let i = 0; i < 50; i++) void host.comet.publish({ uid: 'alice', evt: 'x'.repeat(100_000) })
        destroy()
        await nothingIsLeft({ mayFail: adapter.kind === 'koa' })
      })

      it('has no effect by a packet when it is gone before identify has answered', async () => {
        for (const stage of stages) gates[stage].open()
        const { sid, destroy } = await connect(host, 'alice', alice)
        const before = activity.length
        const headers = { 'x-user': 'alice', 'content-type': 'application/json' }
        const packet = startStream(host, { method: 'POST', path: `/${sid}`, headers, body: '{"type":"BYE"}' })
        await gates.packet.arrival()
        packet.destroy()
        await until(() => host.sockets.size === 1, 'gone')
        gates.packet.open()
        assert.equal((await postPacket(host, 'alice', sid, { type: 'HB' })).status, 204)
        assert.deepEqual(activity.slice(before), ['3'])
        destroy()
        await nothingIsLeft()
      })
    })
  }
}

for (const adapter of http1Adapters) {
  describe(`A client that leaves pipelined requests behind ${adapter.name}`, () => {
    let gate: Gate
    let host: Host

    beforeEach(async () => {
      gate = new Gate()
      const identify: Identify = async (req) => {
        if (req.headers['x-wait']) await gate.pass()
        return identifyByHeader(req)
      }
      host = await adapter.host({ identify, comet: { offlineGrace: 0 } })
    })
    afterEach(() => host.close())

    const get = (user: string, ...lines: string[]) =>
      head(`GET /comet?u=${user} HTTP/1.1`, 'Host: x', ...lines)

    it('leaves no session behind, not even of those that had no socket yet', async () => {
      const client = await openSocket(host)
      client.send(get('a') + get('b') + get('c'))
      await until(() => host.comet.stats().sessions === 3, 'connected')
      client.destroy()
      await until(
        () => host.comet.stats().sessions === 0,
        () => `gone, but ${host.comet.stats().sessions} are left`,
      )
      for (const uid of ['a', 'b', 'c']) assert.equal(await host.comet.isOnline(uid), false)
    })

    it('leaves no session behind when the second was still being identified', async () => {
      const client = await openSocket(host)
      client.send(get('a') + get('b', 'X-Wait: yes'))
      await gate.arrival()
      await until(() => host.comet.stats().sessions === 1, 'connected')
      client.destroy()
      await untilNoSockets(host)
      gate.open()
      await until(() => host.comet.stats().sessions === 0, 'gone')
      const bob = await connect(host, 'bob')
      assert.equal(host.comet.stats().connections, 2)
      bob.destroy()
    })

    it('leaves no listeners on a connection that serves on', async () => {
      const client = await openSocket(host)
      const { sid, destroy } = await connect(host, 'alice')
      const body = '{"type":"HB"}'
      const lines = ['X-User: alice', 'Content-Type: application/json', `Content-Length: ${body.length}`]
      const requests = [
        head('GET /comet HTTP/1.1', 'Host: x'),
        head('GET /comet?u=a&rid=lobby HTTP/1.1', 'Host: x'),
        head(`POST /comet/${sid} HTTP/1.1`, 'Host: x', ...lines) + body,
        head('GET /elsewhere HTTP/1.1', 'Host: x'),
      ]
      const exchange = async () => {
        const statuses: number[] = []
        for (const each of requests) {
          client.send(each)
          const response = await client.response()
          await response.complete
          statuses.push(response.status)
        }
        return statuses
      }
      const listeners = () =>
        Array.from(host.sockets, (socket) => socket.eventNames().map((name) => socket.listenerCount(name)))
      assert.deepEqual(await exchange(), [401, 403, 204, adapter.passed])
      const before = listeners()
      for (let i = 0; i < 10; i++) await exchange()
      assert.deepEqual(listeners(), before)
      client.destroy()
      destroy()
    })

    it('gets the second stream once the first has ended, when it stays', async () => {
      const client = await openSocket(host)
      client.send(`${head('GET /elsewhere HTTP/1.1', 'Host: x')}${get('b')}`)
      assert.equal((await client.response()).status, adapter.passed)
      const stream = await client.response()
      assert.equal((await stream.next()).event, 'comet.ready')
      await host.comet.publish({ uid: 'b', evt: 'hi' })
      assert.equal((await stream.next('message')).data, 'hi')
      client.destroy()
    })
  })
}

/** A presence that takes its time with each newcomer. */
function slowPresence(presence: Presence, gate: Gate): Presence {
  return {
    join(node) {
      const link = presence.join(node)
      return {
        ...link,
        connect: async (session, rooms) => {
          const memberships = await link.connect(session, rooms)
          await gate.pass()
          return memberships
        },
      }
    },
  }
}
