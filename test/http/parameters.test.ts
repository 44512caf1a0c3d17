import assert from 'node:assert/strict'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, request } from '../support/clients.ts'
import '../support/process-guard.ts'

describe('GET stream, the parameters', () => {
  let app: TestApp

  beforeEach(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true } })
  })
  afterEach(() => app.close())

  const ask = (path: string) => request(app, { path, headers: { 'x-user': 'alice' } })

  for (const [query, message] of [
    ['rid[]=a', /"rid\[\]".*\?rid=a&rid=b/],
    ['rid%5B%5D=a&rid%5B%5D=b', /"rid\[\]"/],
    ['rid[0]=a&rid[1]=b', /"rid\[0\]"/],
    ['rid=a&rid[]=b', /"rid\[\]"/],
    ['rid[id]=a', /"rid\[id\]"/],
    ['clientId[]=a', /"clientId\[\]".*\?clientId=a/],
    ['lastEventId[]=a', /"lastEventId\[\]"/],
    ['recent[]=3', /"recent\[\]"/],
    ['hb[]=1', /"hb\[\]"/],
    ['n[]=1', /"n\[\]".*\?n=a/],
    ['clientId=a&clientId=b', /clientId has two values/],
    ['recent=1&recent=2', /recent has two values/],
    ['hb=1&hb=0', /hb has two values/],
    ['n=1&n=2', /parameter n has two values/],
  ] as const) {
    it(`are refused with 400 and what to write: ${query}`, async () => {
      const { status, json } = await ask(`?${query}`)
      assert.deepEqual([status, json.error.code], [400, 'INVALID_FIELD'])
      assert.match(json.error.message, message)
      assert.equal(app.comet.stats().connections, 0)
    })
  }

  it('may be repeated with the same value, or empty', async () => {
    const { ready } = await connect(app, 'alice', { path: '?clientId=a&clientId=a&clientId=&hb=1&hb=1' })
    const again = await connect(app, 'alice', { path: '?clientId=a' })
    assert.equal(again.sid, ready.sid)
  })

  it('tell the order of the requests of a page by n: an earlier one gets the temporary answer', async () => {
    const late = await connect(app, 'alice', { path: '?clientId=a&n=10' })
    for (const n of ['9', '0', '000000002']) {
      const { status, text } = await ask(`?clientId=a&n=${n}`)
      assert.equal(status, 200)
      assert.match(text, /^event: comet\.close$/m)
      assert.match(text, /^retry: \d+$/m)
      assert.match(text, /"UNAVAILABLE".*A later request of this page was served\..*"reconnect":true/)
    }
    assert.equal(app.comet.stats().sessions, 1)
    const { ready } = await connect(app, 'alice', { path: '?clientId=a&n=999999999' })
    assert.equal(ready.sid, late.ready.sid)
  })

  for (const n of ['-1', '1.5', '1e1', '0x1', '+1', ' 1', '1234567890', 'one', '١']) {
    it(`ignore an n that is no whole number of 1 to 9 digits: ${n}`, async () => {
      const first = await connect(app, 'alice', { path: '?clientId=a&n=20' })
      const { ready } = await connect(app, 'alice', { path: `?clientId=a&n=${encodeURIComponent(n)}` })
      assert.equal(ready.sid, first.ready.sid)
    })
  }

  it("leave those of the app alone, with brackets, too, and a room's name with a comma", async () => {
    const { ready } = await connect(app, 'alice', { path: '?filter[color]=red&token[]=x&rid=a,b' })
    assert.deepEqual(ready.rooms, ['a,b'])
  })

  it('resume from the last of several lastEventId, which some clients append', async () => {
    const positions: string[] = []
    const first = await connect(app, 'alice')
    for (const evt of ['one', 'two', 'three']) {
      await app.comet.publish({ uid: 'alice', evt })
      positions.push((await first.next('message')).id as string)
    }
    first.destroy()
    const [one, two] = positions.map(encodeURIComponent)
    for (const path of [`?lastEventId=${one}&lastEventId=${two}`, `?lastEventId=${two}&lastEventId=`]) {
      const { next, destroy } = await connect(app, 'alice', { path })
      assert.equal((await next('message')).data, 'three')
      destroy()
    }
  })
})
