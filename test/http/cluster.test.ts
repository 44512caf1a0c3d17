import assert from 'node:assert/strict'
import { type CometOptions, MemoryBroker } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, postPacket } from '../support/clients.ts'
import '../support/process-guard.ts'

describe('POST packet to another node', () => {
  const apps: TestApp[] = []

  /** Two nodes that share a broker; alice is connected to the first. */
  const cluster = async (owner: CometOptions = {}, other: CometOptions = {}) => {
    const broker = new MemoryBroker()
    for (const options of [owner, other]) {
      apps.push(await startApp(nodeHttp, { comet: { broker, ...options } }))
    }
    const [first, second] = apps as [TestApp, TestApp]
    const alice = await connect(first, 'alice')
    const post = (packet: object) => postPacket(second, 'alice', alice.sid, packet)
    return { first, second, alice, post }
  }

  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close()
  })

  it('has its effect and its answer from the node that owns the session', async () => {
    const onMessage = ({ evt }: { evt: string }) => `owner got ${evt}`
    const { first, second, alice, post } = await cluster({ onMessage, canEnter: () => true })
    const heard: string[] = []
    first.comet.on('heard', ({ uid }) => heard.push(`first ${uid}`))
    second.comet.on('heard', ({ uid }) => heard.push(`second ${uid}`))
    const answer = await post({ type: 'SEND', send: { evt: 'hi' } })
    assert.deepEqual([answer.status, answer.json], [200, 'owner got hi'])
    assert.equal((await post({ type: 'JOIN', join: { rid: 'lobby' } })).status, 204)
    assert.deepEqual(heard, ['first alice', 'first alice'])
    await second.comet.publish({ rid: 'lobby', evt: 'hi all' })
    assert.equal((await alice.next('message')).data, 'hi all')
    assert.equal((await post({ type: 'BYE' })).status, 204)
    assert.equal(await alice.ended, true)
  })

  it('is refused as it would be by the owner', async () => {
    const { first, second, alice, post } = await cluster()
    assert.equal((await postPacket(second, 'mallory', alice.sid, { type: 'HB' })).status, 403)
    const refused = await post({ type: 'JOIN', join: { rid: 'lobby' } })
    assert.deepEqual([refused.status, refused.json.error.code], [403, 'ROOM_REFUSED'])
    await first.comet.disconnect({ uid: 'alice' })
    assert.equal((await post({ type: 'HB' })).status, 404)
  })

  it('gets 503 when the owner does not answer within commandTimeout, and others are served', async () => {
    const onMessage = () => new Promise(() => {})
    const { first, second, post } = await cluster({ onMessage }, { commandTimeout: 50 })
    const late = await post({ type: 'SEND', send: { evt: 'hi' } })
    assert.deepEqual([late.status, late.json.error.code], [503, 'OWNER_UNREACHABLE'])
    const bob = await connect(first, 'bob')
    assert.equal((await postPacket(second, 'bob', bob.sid, { type: 'HB' })).status, 204)
  })

  it('gets 404 when the owner has closed', async () => {
    const { first, post } = await cluster()
    await first.comet.close()
    assert.equal((await post({ type: 'HB' })).status, 404)
  })
})
