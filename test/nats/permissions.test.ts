import assert from 'node:assert/strict'
import { queryObjects } from 'node:v8'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { Outgoing } from '../../adapters/nats/outgoing.ts'
import { UserActivityEvent } from '../../lib/index.ts'
import { brokerContract } from '../contracts/broker.ts'
import { scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNode, joinNodes, type NatsTestNode } from '../support/nats-nodes.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import '../support/process-guard.ts'

const EVENTS = '"*.service.comet", "*.comet.session"'
const INBOX = '"_INBOX_comet.>"'

/** The users of the server, as docs/go-micro.md says what they must be allowed. */
const USERS = `
authorization {
  users = [
    { user: core, password: secret, permissions: {
      publish: [${EVENTS}, "*.topic.user-activity"], subscribe: [${EVENTS}] } }
    { user: stream, password: secret, permissions: {
      publish: [${EVENTS}, "*.topic.user-activity", "$JS.API.>", "$JS.FC.>"], subscribe: [${INBOX}] } }
    { user: mute, password: secret, permissions: { publish: ["nothing"], subscribe: [${EVENTS}] } }
    { user: reader, password: secret, permissions: {
      publish: ["$JS.API.>", "$JS.FC.>"], subscribe: [${INBOX}] } }
    { user: deaf, password: secret, permissions: { publish: [${EVENTS}], subscribe: ["nothing"] } }
  ]
}`

describe('NatsBroker as a user with few rights', function () {
  this.timeout(scaled(30_000))
  let server: NatsServer

  before(async function () {
    server = await NatsServer.start(this, { jetstream: true, config: USERS })
  })
  after(() => server?.stop())
  afterEach(closeNodes)

  const login = (user: string) => ({ user, pass: 'secret', inboxPrefix: '_INBOX_comet' })

  for (const [user, jetstream] of [
    ['core', false],
    ['stream', true],
  ] as const) {
    describe(user, () => {
      let opened: Awaited<ReturnType<typeof connectNats>>
      beforeEach(async () => {
        opened = await connectNats(server, login(user))
      })
      afterEach(() => opened.close())
      brokerContract({ describe, it, beforeEach, afterEach }, () => new NatsBroker(opened, { jetstream }), {
        order: jetstream ? 'shared' : 'own',
      })
    })
  }

  it('rejects what it may not publish, and says what to allow', async () => {
    const a = await joinNode(server, 'a', { connection: login('mute') })
    await a.broker.ready
    await assert.rejects(a.publish('x'), {
      code: 'UNAVAILABLE',
      message: 'The user of the connection to NATS may not publish on n.service.comet. Allow it.',
    })
    const event = new UserActivityEvent({ type: UserActivityEvent.Type.ONLINE, uid: 'u', time: 1n })
    await assert.rejects(async () => await a.broker.activity?.([event]), {
      code: 'UNAVAILABLE',
      message: 'The user of the connection to NATS may not publish on n.topic.user-activity. Allow it.',
    })
  })

  it('forgets what was refused, also with JetStream', async () => {
    const options = { jetstream: true, connection: login('reader') }
    const [a] = (await joinNodes(server, ['a'], options)) as [NatsTestNode]
    const refused = Array.from({ length: 2_000 }, () =>
      assert.rejects(a.publish('x'), { code: 'UNAVAILABLE' }),
    )
    await Promise.all(refused)
    await until(() => queryObjects(Outgoing, { format: 'count' }) < 100, 'forgotten')
  })

  it('is away while it may not subscribe, and says what to allow', async () => {
    const a = await joinNode(server, 'a', { connection: login('deaf') })
    await until(() => a.statuses.length === 1)
    assert.match(
      a.statusErrors[0]?.message ?? '',
      /^NATS ended the subscription of n\.[a-z.]+\. Let the user of the connection subscribe to it\.$/,
    )
    assert.equal(a.broker.position(), undefined)
  })
})
