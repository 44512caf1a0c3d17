import assert from 'node:assert/strict'
import { PATIENCE_MS, STORM_MS, Storm } from '../../support/storm.ts'
import type { Stay } from '../../support/storm-ledger.ts'
import '../../support/process-guard.ts'

const CLIENTS = 200
const ROOMS = 20

/** Three rooms each, which they ask for whenever they come. */
function roomsOf(index: number): string[] {
  return [0, 7, 13].map((offset) => `room-${(index + offset) % ROOMS}`)
}

/** Some users have two clients. */
const uidOf = (index: number) => `user-${index % 150}`

const queryOf = (index: number) =>
  roomsOf(index)
    .map((rid) => `rid=${rid}`)
    .join('&')

function staysOf(index: number): Stay[] {
  return roomsOf(index).map((rid) => ({ rid, from: 0, to: Number.POSITIVE_INFINITY }))
}

describe(`${CLIENTS} clients whose connections are cut anywhere`, function () {
  this.timeout(STORM_MS + 3 * PATIENCE_MS)

  let storm: Storm
  afterEach(() => storm.close())

  const weather = async (comet: { historyEvents: number }) => {
    storm = await Storm.gather({ clients: CLIENTS, rooms: ROOMS, comet, queryOf, uidOf })
    await storm.rage()
    await storm.settle()
    if (process.env.COMET_TORTURE_VERBOSE) console.log(storm.summary)
    assert.ok(storm.proxy.cuts > CLIENTS, `too fair: ${storm.summary}`)
    const problems = storm.clients.flatMap((client, index) => storm.ledger.check(client, staysOf(index)))
    assert.deepEqual(problems, [], storm.summary)
    assert.deepEqual(storm.host.errors, [], storm.summary)
    return storm.clients.filter(({ log }) => log.some((item) => 'gap' in item)).length
  }

  it('each get all that is for them, in order and once', async () => {
    assert.equal(await weather({ historyEvents: 100_000 }), 0, storm.summary)
  })

  it('miss only events of targets that a gap names where little is kept', async () => {
    assert.ok((await weather({ historyEvents: 10 })) > 0, storm.summary)
  })
})
