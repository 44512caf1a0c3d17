import { deepEqual, equal } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { adapterOf, startApp, type TestApp } from '../support/apps.ts'
import { DocProgram, programOf } from '../support/doc-program.ts'
import { Inbox, scaled } from '../support/inbox.ts'

/** Gives the client what it takes from a page, with the names that the guide takes for granted. */
const pageOf = (origin: string) => `
const ignore = () => {}
Object.assign(globalThis, {
  document: { hidden: false, addEventListener: ignore, removeEventListener: ignore },
  window: { setTimeout, clearTimeout, fetch: (url, init) => fetch(new URL(url, '${origin}'), init) },
  token: 'token-of-alice',
  show: ({ text }) => console.log('show', text),
  load: () => console.log('load'),
})
await import('./client.js')
console.log('over')
`

describe('@microsoft/fetch-event-source in docs/guides/page.md', function () {
  this.timeout(scaled(30_000))
  let app: TestApp
  let client: DocProgram
  let sessions: Inbox<string>
  let isIn: boolean

  beforeEach(async () => {
    isIn = true
    app = await startApp(adapterOf('Express 5'), {
      comet: { canEnter: () => true, retry: 1_000 },
      identify: ({ headers }) =>
        isIn && headers.authorization === 'Bearer token-of-alice' ? 'alice' : undefined,
    })
    sessions = new Inbox()
    app.comet.on('connect', ({ session }) => sessions.push(session.sid))
    client = await DocProgram.create(programOf('docs/guides/page.md', 'fetch'))
    await writeFile(join(client.folder, 'page.js'), pageOf(app.origin))
  })
  afterEach(async () => {
    await client?.remove()
    await app?.close()
  })

  const say = (text: string) => app.comet.publish({ rid: 'lobby', event: 'chat', data: { text } })
  const lines = (out: string) => out.trim().split('\n')

  it('comes back after a clean end, with what it missed, and stops at comet.close', async () => {
    const running = client.run('page.js')
    await sessions.next()
    await say('one')
    await app.comet.disconnect({ uid: 'alice' }, { reconnect: true })
    await say('missed')
    await sessions.next()
    await say('two')
    await app.comet.disconnect({ uid: 'alice' })
    const { code, out, err } = await running
    deepEqual(lines(out), ['show one', 'show missed', 'show two', 'over'])
    equal(err, '')
    equal(code, 0)
    equal(sessions.all.length, 2)
  })

  it('stops at 401', async () => {
    const running = client.run('page.js')
    await sessions.next()
    isIn = false
    await app.comet.disconnect({ uid: 'alice' }, { reconnect: true })
    const { code, out, err } = await running
    deepEqual(lines(out), ['over'])
    equal(err, '')
    equal(code, 0)
  })
})
