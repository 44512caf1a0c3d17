import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ERRORS } from '../../lib/error-table.ts'
import * as exported from '../../lib/index.ts'
import { type CometOptions, resolveOptions } from '../../lib/options.ts'
import { CLOSE_CODES } from '../../lib/protocol/close-codes.ts'
import { parsePacket } from '../../lib/protocol/packet.ts'
import { brokenLinksOf } from '../consumer/links.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')

const REFERENCE = 'docs/api.md'
const GUIDES = readdirSync(`${root}/docs`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
/** The documents for users, which the package contains. */
const SHIPPED = ['README.md', 'CHANGELOG.md', 'examples/README.md', ...GUIDES]
/** The documents for developers. */
const UNSHIPPED = ['CONTRIBUTING.md', 'ARCHITECTURE.md', 'SECURITY.md']
type Row = Readonly<Record<string, string>>

/** Collects the rows of all tables of a document whose first column has this header. */
function rowsOf(path: string, header: string): Row[] {
  const rows: Row[] = []
  let columns: readonly string[] | undefined
  for (const line of read(path).split('\n')) {
    if (!line.startsWith('|')) {
      columns = undefined
      continue
    }
    const cells = line.split('|').map((cell) => cell.trim())
    const values = cells.slice(1, -1)
    if (columns === undefined) columns = values
    else if (columns[0] === header && !/^[-: ]+$/.test(values.join('')))
      rows.push(Object.fromEntries(columns.map((column, index) => [column, values[index] ?? ''])))
  }
  return rows
}

/** The code spans in a cell. */
const codesIn = (cell: string | undefined) =>
  Array.from((cell ?? '').matchAll(/`([^`]+)`/g), ([, code]) => code)

/** The code spans in the first column of the tables with this header. */
const namesOf = (path: string, header: string) => rowsOf(path, header).flatMap((row) => codesIn(row[header]))

const withoutTicks = (text: string | undefined) => (text ?? '').replaceAll('`', '')

/** The names of the members of an interface, from its source. */
function membersOf(path: string, name: string): string[] {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest)
  for (const statement of source.statements) {
    if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== name) continue
    return statement.members.flatMap((member) => (member.name ? [member.name.getText(source)] : []))
  }
  throw new Error(`${path} has no interface ${name}`)
}

const same = (found: Iterable<unknown>, expected: Iterable<unknown>) =>
  assert.deepEqual([...found].sort(), [...expected].sort())

describe('docs/api.md', () => {
  const optionRows = rowsOf(REFERENCE, 'option')
  const cellOf = (name: string, column: string) =>
    optionRows.find((row) => withoutTicks(row.option) === name)?.[column] ?? ''

  it('has each option of Comet once, and no other', () => {
    same(namesOf(REFERENCE, 'option'), membersOf('lib/options.ts', 'CometOptions'))
  })

  it('has the default of each option', () => {
    for (const [name, value] of Object.entries(resolveOptions())) {
      const documented = cellOf(name, 'default')
      if (typeof value === 'string') assert.equal(documented, `\`'${value}'\``, name)
      else if (value === 2 ** 31 - 1) assert.equal(documented, 'unlimited', name)
      else if (typeof value === 'number') assert.equal(documented, value.toLocaleString('en-US'), name)
      else assert.notEqual(documented, '', name)
    }
  })

  it('has the least value of each numeric option', () => {
    for (const [name, value] of Object.entries(resolveOptions())) {
      if (typeof value !== 'number') continue
      const least = Number(cellOf(name, 'least').replaceAll(',', '') || Number.NaN)
      const resolve = (number: number) => resolveOptions({ [name]: number } as CometOptions)
      assert.doesNotThrow(() => resolve(least), name)
      assert.throws(() => resolve(least - 1), { code: 'INVALID_OPTION' }, name)
    }
  })

  it('has each option of the adapters once, and no other', () => {
    same(namesOf(REFERENCE, 'option of an adapter'), [
      ...membersOf('lib/http/exchange.ts', 'HttpOptions'),
      ...membersOf('adapters/koa.ts', 'CometKoaOptions'),
    ])
  })

  it('has each option of publish, and no other', () => {
    const options = membersOf('lib/operations/publication.ts', 'PublishOptions')
    same(namesOf(REFERENCE, 'option of `publish`'), options)
  })

  it('has each option of publishAll, and no other', () => {
    const own = membersOf('lib/operations/publish-all.ts', 'PublishAllOptions')
    const options = membersOf('lib/operations/publication.ts', 'PublishOptions')
    same(namesOf(REFERENCE, 'option of `publishAll`'), [...own, ...options])
  })

  it('has each hook once, and no other', () => {
    const hooks = membersOf('lib/hooks/hooks.ts', 'HookMap').map((name) => `'${name}'`)
    same(namesOf(REFERENCE, 'hook'), hooks)
  })

  it('has each field of stats once, and no other', () => {
    same(namesOf(REFERENCE, 'field of `comet.stats()`'), membersOf('lib/node/stats.ts', 'CometStats'))
  })

  it('has only packets that there are', () => {
    for (const row of rowsOf(REFERENCE, 'packet')) {
      const type = codesIn(row.packet)[0] as string
      assert.doesNotThrow(() => parsePacket({ type, [type.toLowerCase()]: { rid: 'r', evt: 'e' } }), type)
    }
  })

  it('has each error with its status, meaning, and whether it is temporary', () => {
    const rows = rowsOf(REFERENCE, 'code')
    same(
      rows.map((row) => withoutTicks(row.code)),
      Object.keys(ERRORS),
    )
    for (const row of rows) {
      const error = ERRORS[withoutTicks(row.code) as keyof typeof ERRORS]
      assert.deepEqual(
        [row.status, row.temporary, withoutTicks(row.meaning)],
        [String(error.status), 'temporary' in error ? 'yes' : 'no', error.meaning],
      )
    }
  })

  it('names each method of Comet and each value that the package exports', () => {
    const text = read(REFERENCE)
    const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(exported.Comet.prototype)
    for (const name of Object.keys(methods)) assert.match(text, new RegExp(`comet\\.${name}\\b`), name)
    for (const name of Object.keys(exported)) assert.match(text, new RegExp(`\\b${name}\\b`), name)
  })
})

describe('docs/reliability.md', () => {
  it('has each close code with its meaning, whether to reconnect, and its grace', () => {
    const rows = rowsOf('docs/reliability.md', 'code')
    same(
      rows.map((row) => withoutTicks(row.code)),
      Object.keys(CLOSE_CODES),
    )
    for (const row of rows) {
      const { meaning, reconnect, grace } = CLOSE_CODES[withoutTicks(row.code) as keyof typeof CLOSE_CODES]
      const { 'should the client come back?': comeBack = '', presence = '' } = row
      assert.ok(withoutTicks(row.meaning).startsWith(meaning), meaning)
      assert.match(comeBack, reconnect ? /^yes\b/ : /^no\b/)
      assert.equal(presence.startsWith('grace'), grace, withoutTicks(row.code))
    }
  })
})

/** Words in capitals that are no codes of Comet. */
const OTHER_CAPITALS = [
  'REDIS_URL',
  'NATS_URL',
  'GET',
  'POST',
  'OPTIONS',
  'COMET_WORKERS',
  'COMET_MOUNT',
  'COMET_REQUIRE_ALL',
  'PORT',
  'HOST',
]
const CODES = new Set<string>([
  ...OTHER_CAPITALS,
  ...Object.keys(ERRORS),
  ...Object.keys(CLOSE_CODES),
  ...Object.keys(exported.UserActivityEvent.Type),
  ...['HB', 'JOIN', 'LEAVE', 'SEND', 'BYE'],
])
/** The names of the stream's own events. */
const EVENTS = ['none', 'ready', 'gap', 'heartbeat', 'close']
/** What else follows "comet." in a name: of a file. */
const FILES = ['proto']
const MEMBERS = new Set([...Object.getOwnPropertyNames(exported.Comet.prototype), ...EVENTS, ...FILES])

// The changelog names what there was, too.
for (const path of SHIPPED.filter((name) => name !== 'CHANGELOG.md')) {
  describe(path, () => {
    it('names only codes and methods that there are', () => {
      const text = read(path)
      const codes = Array.from(text.matchAll(/`([A-Z][A-Z_]+)`/g), ([, code]) => code as string)
      assert.deepEqual(
        codes.filter((code) => !CODES.has(code)),
        [],
      )
      const members = Array.from(text.matchAll(/(?<!-)\bcomet\.([a-z]\w*)/gi), ([, name]) => name as string)
      assert.deepEqual(
        members.filter((name) => !MEMBERS.has(name)),
        [],
      )
    })
  })
}

describe('the links of the documentation', () => {
  for (const path of [...SHIPPED, ...UNSHIPPED]) {
    it(`lead to files and headings: ${path}`, async () => {
      assert.deepEqual(await brokenLinksOf(root, path), [])
    })
  }
})
