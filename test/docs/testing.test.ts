import { equal, match, notEqual } from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DocProgram, programOf } from '../support/doc-program.ts'
import { scaled } from '../support/inbox.ts'

const PAGE = 'docs/guides/testing.md'

describe(PAGE, function () {
  this.timeout(scaled(60_000))
  let program: DocProgram

  beforeEach(async () => {
    program = await DocProgram.create(programOf(PAGE, 'testing'))
  })
  afterEach(async () => {
    await program?.remove()
  })

  for (const [file, tests] of [
    ['app.test.js', 5],
    ['greet.test.js', 2],
  ] as const) {
    it(`has tests that pass, and a process that ends: ${file}`, async () => {
      const { code, out, err } = await program.test(file)
      equal(code, 0, out + err)
      match(out, new RegExp(`^. pass ${tests}$`, 'm'))
      equal(err, '')
    })
  }

  it('has tests that fail when the app greets everybody', async () => {
    const path = join(program.folder, 'app.js')
    const text = await readFile(path, 'utf8')
    const toAll = text.replace('publish({ uid, event', 'publish({ event')
    notEqual(toAll, text)
    await writeFile(path, toAll)
    const { code, out } = await program.test('app.test.js')
    equal(code, 1, out)
    match(out, /not ok .*nobody else|✖ .*nobody else/)
  })
})
