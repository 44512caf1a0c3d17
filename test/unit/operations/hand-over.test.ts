import assert from 'node:assert/strict'
import { type Comet, type CometOptions, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { gatedPresence } from '../../support/gated-presence.ts'
import { Gate } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

/** Two nodes whose app counts the messages that it handles, and answers when a test lets it. */
function makeNodes(options: CometOptions = {}) {
  const handled: string[] = []
  const waiting: (() => void)[] = []
  let isSlow = false
  const onMessage = async ({ evt }: { evt: string }) => {
    handled.push(evt)
    const answer = { number: handled.length }
    if (isSlow) await new Promise<void>((resolve) => waiting.push(resolve))
    return answer
  }
  const broker = new MemoryBroker()
  const make = (more: CometOptions = {}) =>
    makeComet({ broker, onMessage, offlineGrace: 60_000, ...options, ...more }).comet
  const beSlow = (slow: boolean) => {
    isSlow = slow
  }
  const gate = new Gate()
  /** A node whose new sessions get the answer of presence when the gate is open. */
  const makeLate = () => make({ presence: gatedPresence(broker.presence, gate) })
  return { one: make(), two: make(), three: make(), makeLate, gate, handled, waiting, beSlow }
}

async function connect(comet: Comet): Promise<MemoryTransport> {
  const transport = new MemoryTransport()
  await comet.connect({ identity: 'alice', transport, clientId: 'page' })
  return transport
}

const send = (comet: Comet, sid: string, id: string) =>
  comet.receive({ sid, identity: 'alice', packet: { type: 'SEND', send: { evt: `message ${id}`, id } } })

describe('A SEND that is repeated after a takeover on another node', () => {
  afterEach(closeComets)

  for (const drops of [false, true]) {
    const how = drops ? 'in grace' : 'connected'
    it(`gets the answer that it had (${how}), on a third node, too`, async () => {
      const { one, two, three, handled } = makeNodes()
      const first = await connect(one)
      const { sid } = first
      const answers = [await send(one, sid, 'a'), await send(two, sid, 'b')]
      assert.deepEqual(answers, ['{"number":1}', '{"number":2}'])
      if (drops) first.drop()
      const second = await connect(two)
      assert.deepEqual([await send(two, sid, 'a'), await send(one, sid, 'b')], answers)
      if (drops) second.drop()
      const third = await connect(three)
      assert.deepEqual(
        [third.sid, await send(one, sid, 'b'), await send(three, sid, 'a')],
        [sid, ...answers.reverse()],
      )
      await connect(one)
      assert.equal(await send(two, sid, 'b'), '{"number":2}')
      assert.deepEqual(handled, ['message a', 'message b'])
    })
  }

  it('waits for the first one, which still runs', async () => {
    const { one, two, handled, waiting, beSlow } = makeNodes()
    const { sid } = await connect(one)
    beSlow(true)
    const first = send(two, sid, 'a')
    while (waiting.length === 0) await new Promise(setImmediate)
    await connect(two)
    const repeated = send(one, sid, 'a')
    const other = send(one, sid, 'b')
    await new Promise(setImmediate)
    beSlow(false)
    waiting[0]?.()
    assert.deepEqual(
      [await first, await repeated, await other],
      ['{"number":1}', '{"number":1}', '{"number":2}'],
    )
    assert.deepEqual(handled, ['message a', 'message b'])
  })

  it('waits for the first one, which still runs two nodes before', async () => {
    const { one, two, three, handled, waiting, beSlow } = makeNodes()
    const { sid } = await connect(one)
    beSlow(true)
    const first = send(one, sid, 'a')
    while (waiting.length === 0) await new Promise(setImmediate)
    await connect(two)
    const second = send(two, sid, 'a')
    await new Promise(setImmediate)
    await connect(three)
    const third = send(three, sid, 'a')
    await new Promise(setImmediate)
    waiting[0]?.()
    assert.deepEqual([await first, await second, await third], Array(3).fill('{"number":1}'))
    assert.deepEqual(handled, ['message a'])
  })

  it('gets the answer that it had, also from a node that was not told yet that it has the session', async () => {
    const { one, three, makeLate, gate, handled } = makeNodes({ commandTimeout: 60_000 })
    const { sid } = await connect(one)
    assert.equal(await send(one, sid, 'a'), '{"number":1}')
    const connecting = connect(makeLate())
    await gate.arrival()
    await connect(three)
    const repeated = send(three, sid, 'a')
    await new Promise(setImmediate)
    gate.open()
    await connecting
    assert.equal(await repeated, '{"number":1}')
    assert.deepEqual(handled, ['message a'])
  })

  it('does not wait for itself when the session has moved away and back', async () => {
    const { one, makeLate, gate, handled } = makeNodes({ commandTimeout: 60_000 })
    const { sid } = await connect(one)
    assert.equal(await send(one, sid, 'a'), '{"number":1}')
    const connecting = connect(makeLate())
    await gate.arrival()
    await connect(one)
    const repeated = send(one, sid, 'a')
    const other = send(one, sid, 'b')
    gate.open()
    await connecting
    assert.deepEqual([await repeated, await other], ['{"number":1}', '{"number":2}'])
    assert.deepEqual(handled, ['message a', 'message b'])
  })

  it('gets the answer that it had, also without a grace', async () => {
    const { one, two, handled } = makeNodes({ offlineGrace: 0 })
    const { sid } = await connect(one)
    assert.equal(await send(one, sid, 'a'), '{"number":1}')
    await connect(two)
    assert.equal(await send(two, sid, 'a'), '{"number":1}')
    await connect(two)
    assert.equal(await send(one, sid, 'a'), '{"number":1}')
    assert.deepEqual(handled, ['message a'])
  })

  it('is handled when the first one was refused', async () => {
    let isRefused = true
    const { one, two } = makeNodes({
      onMessage: () => {
        if (isRefused) throw new Error('refused')
        return 'taken'
      },
    })
    one.on('error', () => {})
    const { sid } = await connect(one)
    await assert.rejects(send(one, sid, 'a'), { code: 'INTERNAL' })
    isRefused = false
    await connect(two)
    assert.equal(await send(two, sid, 'a'), '"taken"')
  })

  it('is handled by its last node only when the first one fails while others wait for it', async () => {
    const refusals: ((error: Error) => void)[] = []
    let handled = 0
    const onMessage = () => {
      handled += 1
      return handled === 1 ? new Promise((_, reject) => refusals.push(reject)) : handled
    }
    const { one, two, three } = makeNodes({ onMessage })
    one.on('error', () => {})
    const { sid } = await connect(one)
    const first = send(one, sid, 'a')
    first.catch(() => {})
    while (refusals.length === 0) await new Promise(setImmediate)
    await connect(two)
    const second = send(two, sid, 'a')
    await new Promise(setImmediate)
    await connect(three)
    const third = send(three, sid, 'a')
    await new Promise(setImmediate)
    refusals[0]?.(new Error('refused'))
    await assert.rejects(first, { code: 'INTERNAL' })
    assert.deepEqual([await second, await third, handled], ['2', '2', 2])
  })

  it('holds nothing for a connection that ends before presence has answered', async () => {
    const { one, two, handled } = makeNodes()
    const first = await connect(one)
    await send(one, first.sid, 'a')
    const transport = new MemoryTransport()
    const connecting = two.connect({ identity: 'alice', transport, clientId: 'page' })
    transport.drop()
    await connecting
    const { sid } = await connect(one)
    assert.equal(await send(two, sid, 'a'), '{"number":1}')
    assert.deepEqual(handled, ['message a'])
  })
})
