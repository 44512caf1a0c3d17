import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http, { type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ROOT } from '../support/doc-blocks.ts'
import { scaled, until } from '../support/inbox.ts'
import { defaults, fetchThatComesBack, type OpenByDefault } from '../support/library-defaults.ts'

/** How a server ends a stream, or refuses it, by the columns of the table. */
const ANSWERS: Readonly<Record<string, (res: ServerResponse) => void>> = {
  'a stream that ends': (res) =>
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 20\ndata: {}\nid: 1\n\n'),
  'status 204': (res) => res.writeHead(204).end(),
  'status 502': (res) => res.writeHead(502).end(),
  'status 401': (res) => res.writeHead(401).end(),
}

/** More than the delay of any library here, which is 3 s at most. */
const LONG_ENOUGH_MS = scaled(3_500)

describe('The table of client libraries in docs/guides/page.md', function () {
  this.timeout(scaled(60_000))

  for (const [library, open] of Object.entries(defaults)) {
    it(`is right about ${library}`, async () => {
      const row = rowOf(library)
      const columns = Object.entries(ANSWERS)
      const found = await Promise.all(
        columns.map(async ([name, answer]) => [
          name,
          (await comesBack(open, answer)) ? 'comes back' : 'gives up',
        ]),
      )
      deepEqual(Object.fromEntries(found), row)
    })
  }

  it('is right about what makes @microsoft/fetch-event-source come back', async () => {
    deepEqual(await comesBack(fetchThatComesBack, ANSWERS['a stream that ends'] as () => void), true)
  })
})

/** The cells of a row by the names of their columns. */
function rowOf(library: string): Record<string, string> {
  const lines = readFileSync(`${ROOT}/docs/guides/page.md`, 'utf8').split('\n')
  const cells = (line = '') => line.split('|').map((cell) => cell.trim())
  const head = cells(lines.find((line) => line.startsWith('| library')))
  const row = cells(lines.find((line) => line.startsWith(`| ${library} `)))
  return Object.fromEntries(Object.keys(ANSWERS).map((name) => [name, row[head.indexOf(name)] ?? 'no cell']))
}

/** Whether a client that gets this answer sends another request. */
async function comesBack(open: OpenByDefault, answer: (res: ServerResponse) => void): Promise<boolean> {
  let requests = 0
  const server: Server = http.createServer((_req, res) => {
    requests += 1
    answer(res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    await until(() => requests >= 1, 'a first request')
    await until(() => requests >= 2, 'a second one', LONG_ENOUGH_MS).catch(() => {})
    return requests >= 2
  } finally {
    close()
    server.close()
    server.closeAllConnections()
  }
}
