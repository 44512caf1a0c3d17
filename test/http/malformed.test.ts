import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, head, openSocket } from '../support/clients.ts'
import { malformedRequests, sendMalformed } from '../support/malformed-requests.ts'
import '../support/process-guard.ts'

describe('Malformed requests', () => {
  let app: TestApp

  before(async () => {
    app = await startApp(nodeHttp, { comet: { offlineGrace: 0, canEnter: () => true } })
  })
  after(() => app.close())

  const servesOthers = async () => {
    const { next, destroy } = await connect(app, 'alice')
    await app.comet.publish({ uid: 'alice', evt: 'hi' })
    assert.equal((await next('message')).data, 'hi')
    destroy()
  }

  for (const title of Object.keys(malformedRequests)) {
    it(`cause no error and harm nobody: ${title}`, async () => {
      const status = await sendMalformed(app, title)
      assert.ok(status === undefined || status < 500, `status ${status}`)
      assert.deepEqual(app.errors, [])
      await servesOthers()
    })
  }

  it('cause no error and harm nobody: any bytes changed in a well-formed one', async () => {
    const body = '{"type":"HB"}'
    const path = `/comet/AAAAAAAAAAA.${'A'.repeat(22)}`
    const lines = ['Host: x', 'X-User: a', 'Content-Type: application/json', `Content-Length: ${body.length}`]
    const whole =
      head('GET /comet/?u=a&rid=b HTTP/1.1', 'Host: x', 'Accept: */*') +
      head(`POST ${path} HTTP/1.1`, ...lines) +
      body
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(changes, async (changed) => {
        const bytes = Buffer.from(whole, 'latin1')
        for (const [at, byte] of changed) bytes[at] = byte
        const client = await openSocket(app)
        client.send(bytes)
        await client.response().catch(() => undefined)
        client.destroy()
        await client.closed
      }),
      { numRuns: 60 },
    )
    assert.deepEqual(app.errors, [])
    await servesOthers()
  })
})
