import { deepEqual, equal, match, notEqual } from 'node:assert/strict'
import { launchBrowser } from '../support/browser.ts'
import { openPage } from '../support/doc-page.ts'
import { DocProgram, programOf } from '../support/doc-program.ts'
import { Gateway } from '../support/gateway.ts'
import { scaled } from '../support/inbox.ts'
import '../support/process-guard.ts'

const PAGE = 'docs/guides/login.md'

/** A stream that is read in the background. */
interface Stream {
  readonly status: number
  /** All of it, once it has ended. */
  readonly text: Promise<string>
  /** Settles when `comet.ready` has come. */
  readonly ready: Promise<void>
}

describe(PAGE, function () {
  this.timeout(scaled(60_000))
  let program: DocProgram
  let streams: AbortController

  const start = async (group: string) => {
    program = await DocProgram.start(programOf(PAGE, group))
  }
  beforeEach(() => {
    streams = new AbortController()
  })
  afterEach(async () => {
    streams.abort()
    await program?.remove()
  })

  const post = (path: string, headers = {}, body?: string) =>
    fetch(program.origin + path, { method: 'POST', headers, ...(body !== undefined && { body }) })

  /** Signs in. @returns the headers of this login's further requests */
  const signIn = async (path: string, body?: object) => {
    const type = { 'Content-Type': 'application/json' }
    const answer = await post(path, body && type, body && JSON.stringify(body))
    equal(answer.status, 204)
    const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
    notEqual(cookies.length, 0)
    return { Cookie: cookies.join('; ') }
  }

  const open = async (headers: Record<string, string>): Promise<Stream> => {
    const answer = await fetch(`${program.origin}/comet`, { headers, signal: streams.signal })
    if (answer.status !== 200) return { status: answer.status, text: answer.text(), ready: Promise.resolve() }
    let isReady = () => {}
    const ready = new Promise<void>((resolve) => {
      isReady = resolve
    })
    const read = async () => {
      let text = ''
      for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += piece
        if (text.includes('comet.ready')) isReady()
      }
      return text
    }
    const text = read()
    text.catch(() => {})
    await ready
    return { status: 200, text, ready }
  }

  for (const [group, path, body] of [
    ['express-session', '/sign-in', { name: 'alice' }],
    ['koa-session', '/sign-in/alice', undefined],
    ['devices', '/sign-in', { name: 'alice' }],
  ] as const) {
    it(`ends the streams at a sign-out, and none begins after it: ${group}`, async () => {
      await start(group)
      equal((await open({})).status, 401)
      const login = await signIn(path, body)
      const { text } = await open(login)
      const out = await post('/sign-out', login)
      equal(out.status, 204)
      match(await text, /event: ?comet\.close\ndata: ?\{"code":"DISCONNECTED".*"reconnect":false/)
      // The koa-session of the guide has no store: the browser forgets the cookie that it is told to.
      const after = group === 'koa-session' ? {} : login
      equal((await open(after)).status, 401)
      equal(program.output.err, '')
    })
  }

  it('signs out one device only', async () => {
    await start('devices')
    const one = await signIn('/sign-in', { name: 'alice' })
    const two = await signIn('/sign-in', { name: 'alice' })
    const first = await open(one)
    const second = await open(two)
    equal((await post('/sign-out', one)).status, 204)
    match(await first.text, /DISCONNECTED/)
    let isOver = false
    second.text
      .finally(() => {
        isOver = true
      })
      .catch(() => {})
    equal((await open(two)).status, 200)
    equal(isOver, false)
  })

  describe('with tickets', () => {
    it('opens and opens again with a new ticket each time, and a ticket serves once', async function () {
      const browser = await launchBrowser(this)
      await start('ticket')
      const gateway = await Gateway.to(program.port)
      try {
        const { page, next, events, problems } = await openPage(browser, program, {
          origin: gateway.origin,
          mayFail: true,
        })
        await next('comet.ready')
        gateway.cut()
        equal((await post('/greet')).status, 204)
        await next('greeting')
        await page.getByText('Hello!').waitFor()
        deepEqual(
          events.all.map(({ event }) => event),
          ['comet.ready', 'comet.ready', 'greeting'],
        )
        const [first, second] = gateway.streams.map(({ url }) => url)
        notEqual(first, second)
        for (const url of [first, '/comet?ticket=made-up', '/comet']) {
          equal((await fetch(program.origin + url)).status, 401)
        }
        deepEqual(problems, [])
      } finally {
        await gateway.close()
        await browser.close()
      }
    })
  })
})
