import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { blocksOf } from '../support/doc-blocks.ts'
import { openPage } from '../support/doc-page.ts'
import { DocProgram, type ProgramText, programsOf } from '../support/doc-program.ts'
import { scaled, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const SERVER = `
<!-- run: app -->
\`\`\`js
import express from 'express'
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'

const app = express()
const comet = new Comet()
app.use('/comet', cometExpress(comet, { identify: () => 'alice' }))
app.post('/greet', async (req, res) => {
  await comet.publish({ uid: 'alice', event: 'greeting', data: 'Hello!' })
  res.sendStatus(204)
})
app.get('/served', (req, res) => res.sendFile('page.html', { root: '.' }))
app.listen(3000)
\`\`\`

<!-- try: app -->
\`\`\`sh
curl --silent --fail -X POST http://localhost:3000/greet
\`\`\`
`

const PAGE = `
<!-- page: app -->
\`\`\`js
const source = new EventSource('/comet')
source.addEventListener('greeting', ({ data }) => document.body.append(JSON.parse(data)))
\`\`\`
`

/** The runner of the docs' programs, shown with texts of its own. */
describe('A program of the docs', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let program: DocProgram | undefined

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })
  afterEach(async () => {
    await program?.remove()
    program = undefined
  })

  const textOf = (markdown: string) => programsOf('page.md', blocksOf('page.md', markdown))[0] as ProgramText
  const open = async (markdown: string, path = '/') => {
    program = await DocProgram.start(textOf(markdown))
    return await openPage(browser, program, { path })
  }

  it('runs as it is written, and so does its page', async () => {
    const { page, next, problems } = await open(SERVER + PAGE)
    await next('comet.ready')
    const { code, err } = await (program as DocProgram).try()
    equal(code, 0, err)
    equal((await next('greeting')).data, '"Hello!"')
    await page.getByText('Hello!').waitFor()
    deepEqual(problems, [])
    equal(program?.output.err, '')
  })

  it('serves its own page, if the mark names a file', async () => {
    const html =
      '<!-- page: app page.html -->\n```html\n<title>Own</title>\n<link rel="icon" href="data:,">\n```'
    const { page, problems } = await open(SERVER + html, '/served')
    equal(await page.title(), 'Own')
    deepEqual(problems, [])
  })

  for (const [what, code, expected] of [
    ['throws', 'throw new Error("one")', /^thrown: .*one/],
    ['rejects', 'Promise.reject(new Error("two"))', /^thrown: .*two/],
    ['writes an error to the console', 'console.error("three")', /^console: three/],
    ['asks for what is not there', 'fetch("/four")', /^console: Failed to load .*404.*four/],
  ] as const) {
    it(`has a problem when its page ${what}`, async () => {
      const { problems } = await open(`${SERVER}<!-- page: app -->\n\`\`\`js\n${code}\n\`\`\``)
      await until(() => problems.length > 0, 'a problem')
      match(String(problems[0]), expected)
    })
  }

  it('does not start when it throws, and says why', async () => {
    await rejects(
      DocProgram.start(textOf('<!-- run: app -->\n```js\nthrow new Error("no")\n```')),
      /Error: no/,
    )
  })
})
