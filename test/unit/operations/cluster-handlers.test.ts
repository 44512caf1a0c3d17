import assert from 'node:assert/strict'
import { newNodeId, newSid } from '../../../lib/ids.ts'
import { type Command, MemoryBroker } from '../../../lib/index.ts'
import { controllerNode, presenceNode } from '../../contracts/handlers.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { PATIENCE_MS } from '../../support/inbox.ts'

/** A Comet and another node that sends and answers what it likes, such as one of another version. */
function makeStranger(answer: (command: Command) => unknown = () => null) {
  const broker = new MemoryBroker()
  const { comet } = makeComet({ broker })
  const id = newNodeId()
  const stranger = broker.controller.join(controllerNode(id, async (command) => answer(command), 'comet'))
  const send = (type: string, request?: unknown) =>
    stranger.request(comet.stats().node, { type, request }, PATIENCE_MS)
  const strangerPresence = broker.presence.join(presenceNode(id, 'comet').node)
  return { comet, send, strangerPresence, sid: newSid(id) }
}

const internal = (message: string) => ({ name: 'CometError', code: 'INTERNAL', message })

const identity = { uid: 'alice', anonymous: false }

/** A malformed request for each command, with the field that the error names. */
const MALFORMED: readonly (readonly [type: string, request: unknown, message: string])[] = [
  ['enter', undefined, 'command enter must be an object, not undefined.'],
  ['enter', { sid: 's' }, 'command enter.rid must be a string, not undefined.'],
  ['leave', { sid: 5, rid: 'den' }, 'command leave.sid must be a string, not a number.'],
  ['enterUser', { uid: 'alice', rid: null }, 'command enterUser.rid must be a string, not null.'],
  ['leaveUser', { uid: ['alice'], rid: 'den' }, 'command leaveUser.uid must be a string, not an array.'],
  ['answerOf', { sid: 's', id: 7 }, 'command answerOf.id must be a string, not a number.'],
  ['handOver', { sid: 's' }, 'command handOver.connection must be a string, not undefined.'],
  ['voidGrants', { rid: 'den' }, 'command voidGrants.uid must be a string, not undefined.'],
  ['disconnected', {}, 'command disconnected.call must be a string, not undefined.'],
  [
    'disconnect',
    { target: {}, options: {} },
    'command disconnect.target.rid must be a string, not undefined.',
  ],
  ['disconnect', { target: { sid: 's' } }, 'command disconnect.options must be an object, not undefined.'],
  [
    'disconnect',
    { target: { sid: 's' }, options: { reconnect: 'yes' } },
    'command disconnect.options.reconnect must be a boolean, not a string.',
  ],
  ['uplink', { sid: 's', ...identity }, 'command uplink.packet must be an object, not undefined.'],
  [
    'uplink',
    { sid: 's', ...identity, packet: { type: 'PUSH' } },
    'command uplink.packet.type must be one of HB, JOIN, LEAVE, SEND, BYE, not a string.',
  ],
  [
    'uplink',
    { sid: 's', ...identity, packet: { type: 'JOIN', rid: 'den', since: '', recent: -1 } },
    'command uplink.packet.recent must be a whole number, 0 or more, not a number.',
  ],
]

describe('Commands between nodes', () => {
  afterEach(closeComets)

  it('are carried out for another node', async () => {
    const { comet, send } = makeStranger()
    const alice = await connect(comet, 'alice')
    const { sid } = alice
    assert.equal(await send('enter', { sid, rid: 'den' }), true)
    await assert.rejects(send('enter', { sid: 'gone', rid: 'den' }), { code: 'NO_SUCH_SESSION' })
    assert.equal(await send('leave', { sid, rid: 'den' }), true)
    await assert.rejects(send('leave', { sid: 'gone', rid: 'den' }), { code: 'NO_SUCH_SESSION' })
    assert.deepEqual(await send('handOver', { uid: 'alice', sid, connection: 'another' }), {
      answers: [],
      running: [],
    })
    assert.deepEqual(await send('answerOf', { sid, id: 'unknown' }), { isDone: false })
    assert.equal(alice.closed, false)
    assert.equal(await send('disconnect', { target: { sid }, options: {}, call: '' }), 1)
    assert.equal(await send('disconnected', { call: 'unknown' }), 0)
    assert.ok(alice.closed)
  })

  it('about the rooms of a user have this node ask presence, which knows what came last', async () => {
    const { comet, send } = makeStranger()
    await connect(comet, 'alice')
    await comet.enter({ uid: 'alice' }, 'attic')
    const routed = () => comet.dump().rooms.map(({ rid }) => rid)
    await send('leaveUser', { uid: 'alice', rid: 'attic' })
    assert.deepEqual(routed(), ['attic'])
    await send('enterUser', { uid: 'alice', rid: 'den' })
    assert.deepEqual(routed(), ['attic'])
  })

  it('are refused when they are unknown, also by a name that every object inherits', async () => {
    const { send } = makeStranger()
    for (const type of ['dance', 'toString', '__proto__', '']) {
      await assert.rejects(send(type, {}), internal(`There is no command "${type}".`))
    }
  })

  for (const [type, request, message] of MALFORMED) {
    it(`are refused when they are malformed: ${message}`, async () => {
      const { comet, send } = makeStranger()
      await connect(comet, 'alice')
      await assert.rejects(send(type, request), internal(message))
      assert.deepEqual([comet.stats().sessions, comet.stats().rooms], [1, 0])
    })
  }
})

describe('Answers of other nodes', () => {
  afterEach(closeComets)

  it('are refused when they are malformed, and the error names the command', async () => {
    const { comet, sid } = makeStranger(() => 'yes')
    const message = (type: string) =>
      internal(`the answer to command ${type} must be a boolean, not a string.`)
    await assert.rejects(comet.enter({ sid }, 'den'), message('enter'))
    await assert.rejects(comet.leave({ sid }, 'den'), message('leave'))
  })

  it('are reported and left out when they are malformed, and the other nodes were asked', async () => {
    const { comet, strangerPresence } = makeStranger(() => -1)
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    const alice = await connect(comet, 'alice')
    await strangerPresence.connect({ uid: 'alice', connection: 'elsewhere' }, [])
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    assert.ok(alice.closed)
    const message = 'the answer to command disconnected must be a whole number, 0 or more, not a number.'
    assert.deepEqual(
      errors.map((error) => error.message),
      [message],
    )
  })

  it('are refused when a text is malformed', async () => {
    const { comet, sid } = makeStranger(() => -1)
    await assert.rejects(
      comet.receive({ sid, identity: 'alice', packet: { type: 'HB' } }),
      internal('the answer to command uplink must be a string, not a number.'),
    )
  })
})
