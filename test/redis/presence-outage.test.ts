import assert from 'node:assert/strict'
import { redisCluster } from '../../adapters/redis/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled, until, within } from '../support/inbox.ts'
import { closePresence, joinPresence, type PresenceTestNode } from '../support/presence-nodes.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

/** The longest that a caller waits while Redis cannot be reached. */
const BOUND = scaled(6_000)
const UNAVAILABLE = { code: 'UNAVAILABLE' }

describe('RedisPresence: while Redis is away', function () {
  this.timeout(scaled(40_000))
  let server: RedisServer

  beforeEach(async function () {
    server = await RedisServer.start(this, { appendOnly: true })
  })
  afterEach(async () => {
    server?.resume()
    await closePresence()
    await server?.stop()
  })

  /** Waits until a node reaches Redis. */
  function works({ presence }: PresenceTestNode): Promise<void> {
    return until(() =>
      presence.isOnline('nobody').then(
        () => true,
        () => false,
      ),
    )
  }

  for (const library of ['redis 6, RESP 3', 'ioredis 6, RESP 3']) {
    it(`refuses what needs it in time, notes disconnects, and tells both ends once: ${library}`, async () => {
      const a = await joinPresence(server.port, 'a', 'test', { library })
      const b = await joinPresence(server.port, 'b', 'test')
      const alice = await a.connect('alice', ['den'])
      const bob = await a.connect('bob', ['den'])
      const carol = await a.connect('carol', ['den'])
      a.reported()
      await server.kill()
      const refused = (call: Promise<unknown>) =>
        assert.rejects(within(call, 'a refusal', BOUND), UNAVAILABLE)
      await Promise.all([
        refused(a.connect('dora', ['den'])),
        refused(a.presence.isOnline('alice')),
        refused(a.presence.members('den')),
        refused(a.presence.count('den')),
        refused(a.presence.enter(alice, 'hall', 'app')),
        refused(a.presence.leave(alice, 'den')),
        refused(a.presence.setInfo('alice', 1)),
        refused(a.presence.endGrace({ uid: 'alice' })),
        refused(a.presence.watch('den')),
      ])
      const start = performance.now()
      await refused(a.connect('dora', ['den']))
      assert.equal(await a.drop(alice, 0), true)
      assert.equal(await a.drop(bob, 60_000), true)
      assert.equal(await a.drop(carol, 100), true)
      assert.ok(performance.now() - start < 500, 'at once')
      await server.restart()
      await Promise.all([works(a), works(b)])
      assert.deepEqual(a.statuses, [false, true])
      await until(async () => !(await b.presence.isOnline('carol')), undefined, BOUND)
      assert.equal(await b.presence.isOnline('alice'), false)
      assert.equal((await b.presence.locate(bob.sid))?.connected, false)
      assert.equal(await b.presence.isOnline('dora'), false)
      assert.deepEqual(
        [...a.reported(), ...b.reported()].sort(),
        ['LEAVE_ROOM alice den', 'LEAVE_ROOM carol den', 'OFFLINE alice', 'OFFLINE carol'].sort(),
      )
    })
  }

  it('is nothing that is noticed when it is short', async () => {
    const a = await joinPresence(server.port, 'a', 'test')
    await a.connect('alice', ['den'])
    await server.kill()
    const connecting = a.connect('bob', ['den'])
    await server.restart()
    await connecting
    assert.deepEqual(a.statuses, [])
    assert.equal(await a.presence.count('den'), 2)
    assert.deepEqual(a.reported(), [
      ...['ONLINE alice', 'ENTER_ROOM alice den', 'ONLINE bob', 'ENTER_ROOM bob den'],
    ])
  })

  /**
   * Lets a connect of node a be refused that takes over a page of node b, and is carried out later. The commands wait in
   * the buffers of the server meanwhile.
   */
  async function refuseLateTakeover(a: PresenceTestNode, b: PresenceTestNode, act: () => void) {
    const page = await b.connect('alice', ['den', 'attic'], { clientId: 'page', requestNumber: 3 })
    b.reported()
    server.pause()
    const calls = [
      a.connect('bob', ['den']),
      a.connect('alice', ['den', 'hall'], { clientId: 'page', requestNumber: 5 }),
      a.presence.enter(page, 'cellar', 'app'),
    ]
    act()
    await Promise.all(
      calls.map((call: Promise<unknown>) => assert.rejects(within(call, 'a refusal', BOUND), UNAVAILABLE)),
    )
    server.resume()
    await Promise.all([works(a), works(b)])
    await until(async () => !(await a.presence.isOnline('bob')))
    await until(async () => (await b.presence.locate(page.sid))?.connection === page.connection)
    // Whoever was told of something is told that it is over.
    const said = [...a.reported(), ...b.reported()].filter((event) => event.endsWith(' bob'))
    assert.ok(said.length === 0 || said.length === 2, said.join())
    return page
  }

  it('takes back a connect that was carried out after its caller was refused', async () => {
    const a = await joinPresence(server.port, 'a', 'test')
    // It does not ask meanwhile whether its sessions were taken over.
    const b = await joinPresence(server.port, 'b', 'test', { lease: 600_000 })
    const page = await refuseLateTakeover(a, b, () => {})
    assert.deepEqual(await b.presence.roomsOf('alice'), ['den', 'attic'])
    assert.equal((await b.presence.locate(page.sid))?.node, 'b')
    assert.equal((await b.presence.locate(page.sid))?.connected, true)
    assert.equal((await b.presence.enter(page, 'hall', 'app')).done, true)
    // The page's own count is that of the connection that it has again.
    await assert.rejects(a.connect('alice', [], { clientId: 'page', requestNumber: 2 }), /later request/)
    const next = await b.connect('alice', [], { clientId: 'page', requestNumber: 4 })
    assert.equal(await b.drop(next, 0), true)
    assert.equal(await b.presence.isOnline('alice'), false)
  })

  it('leaves a grace to a session whose node has closed it when such a connect is taken back', async () => {
    const a = await joinPresence(server.port, 'a', 'test')
    const b = await joinPresence(server.port, 'b', 'test')
    const page = await refuseLateTakeover(a, b, () => b.node.renew())
    const takenOver = () => b.takenOver.includes(page.connection)
    await until(async () => (await a.presence.locate(page.sid))?.connected === !takenOver())
    assert.deepEqual(await a.presence.roomsOf('alice'), ['den', 'attic'])
    // The page comes back, because it was told to try again.
    const { sid } = await a.connect('alice', [], { clientId: 'page' })
    assert.equal(sid, page.sid)
    assert.deepEqual(await a.presence.roomsOf('alice'), ['den', 'attic'])
  })

  it('leaves keys alone that a later version uses, and says so', async () => {
    const a = await joinPresence(server.port, 'a', 'test')
    await a.send('HSET', a.keys.of('presence'), '.format', '2')
    const { comet } = makeComet({ ...redisCluster(a.app.client), namespace: 'test' })
    const errors: Error[] = []
    comet.on('status', ({ up, error }) => {
      if (!up) errors.push(error as Error)
    })
    await until(() => errors.length > 0)
    assert.match(String(errors[0]), /later version of comet-sse/)
    await a.send('HSET', a.keys.of('presence'), '.format', '1')
    await until(() => comet.stats().ports.presence === 'up')
    await closeComets()
  })

  it('lets a Comet close', async () => {
    const a: PresenceTestNode = await joinPresence(server.port, 'a', 'test')
    await a.connect('alice', ['den'])
    await server.kill()
    await within(a.presence.close(), 'close', BOUND)
    await a.presence.close()
    await assert.rejects(a.presence.isOnline('alice'), { code: 'SHUTTING_DOWN' })
  })

  it('keeps the secret of a node that was not there yet waiting', async () => {
    await server.kill()
    const joining = joinPresence(server.port, 'a', 'test', { library: 'ioredis 6, RESP 3' })
    let secret: string | undefined
    const known = joining.then(async ({ presence }) => {
      secret = await presence.secret()
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.equal(secret, undefined)
    await server.restart()
    await within(known, 'the secret', BOUND)
    assert.ok(secret)
  })
})
