import assert from 'node:assert/strict'
import { CometError } from '../../lib/index.ts'
import { nodeHttp, withApp } from '../support/apps.ts'
import { connect, postPacket, request } from '../support/clients.ts'
import '../support/process-guard.ts'

describe('Retry-After', () => {
  const onMessage = ({ evt }: { evt: string }) => {
    const [code, seconds] = JSON.parse(evt)
    throw Object.assign(new CometError(code), seconds === undefined ? {} : { retryAfter: seconds })
  }

  it('is in each answer with 429 or 503, in whole seconds, and in no other', async () => {
    await withApp(nodeHttp, { comet: { onMessage } }, async (app) => {
      const { sid } = await connect(app, 'alice')
      for (const [code, seconds, expected] of [
        ['TOO_MANY_PACKETS', undefined, '1'],
        ['TOO_MANY_SESSIONS', undefined, '1'],
        ['OWNER_UNREACHABLE', undefined, '1'],
        ['UNAVAILABLE', undefined, '1'],
        ['SHUTTING_DOWN', undefined, '1'],
        // An error may tell.
        ['TOO_MANY_PACKETS', 2.1, '3'],
        ['UNAVAILABLE', 0, '1'],
        ['UNAVAILABLE', 'soon', '1'],
        ['FORBIDDEN', 5, undefined],
        ['NO_SUCH_SESSION', undefined, undefined],
      ] as const) {
        const packet = { type: 'SEND', send: { evt: JSON.stringify([code, seconds]) } }
        const { status, headers } = await postPacket(app, 'alice', sid, packet)
        assert.equal(status, new CometError(code).status)
        assert.equal(headers['retry-after'], expected, `${code} ${seconds}`)
      }
    })
  })

  it('is in the answer to one stream too many', async () => {
    await withApp(nodeHttp, { comet: { maxSessionsPerUser: 1, onExcess: 'reject' } }, async (app) => {
      await connect(app, 'alice')
      const { status, headers } = await request(app, { headers: { 'x-user': 'alice' } })
      assert.deepEqual([status, headers['retry-after']], [429, '1'])
    })
  })
})
