import assert from 'node:assert/strict'
import type { Stay } from '../../support/event-ledger.ts'
import { sampled } from '../../support/tier.ts'
import { PATIENCE_MS, TORTURE_MS, Torture } from '../../support/torture.ts'
import '../../support/process-guard.ts'
import { figure } from '../../support/tier.ts'

const CLIENTS = sampled(200, 60)
/** A quarter of the users have two clients. */
const USERS = 0.8 * CLIENTS
const ROOMS = 20
/** A client of a user that has no other. */
const LONE = USERS - 1

/** Each client is in three rooms, which it asks for whenever it connects. */
function roomsOf(index: number): string[] {
  return [0, 7, 13].map((offset) => `room-${(index + offset) % ROOMS}`)
}

const uidOf = (index: number) => `user-${index % USERS}`

const queryOf = (index: number) =>
  roomsOf(index)
    .map((rid) => `rid=${rid}`)
    .join('&')

function staysOf(index: number): Stay[] {
  return roomsOf(index).map((rid) => ({ rid, from: 0, to: Number.POSITIVE_INFINITY }))
}

describe(`Resume: ${CLIENTS} clients whose connections are cut anywhere`, function () {
  this.timeout(TORTURE_MS + 4 * PATIENCE_MS)

  let torture: Torture
  afterEach(() => torture.close())

  async function disturb(historyEvents: number): Promise<void> {
    const comet = { historyEvents }
    torture = await Torture.start({ clients: CLIENTS, rooms: ROOMS, comet, queryOf, uidOf })
    await torture.disturb()
    await torture.catchUp()
  }

  function check(): void {
    const problems = torture.clients.flatMap((client, index) => torture.ledger.check(client, staysOf(index)))
    figure('resumed', torture.summary)
    assert.deepEqual(problems, [], torture.summary)
    assert.deepEqual(torture.app.errors, [], torture.summary)
  }

  it('get all events that are for them, in order and once', async () => {
    await disturb(100_000)
    check()
    const withGap = torture.clients.filter(({ log }) => log.some((item) => 'gap' in item))
    assert.deepEqual(withGap, [], torture.summary)
  })

  it('miss only events of targets that a gap names, when the history is short', async () => {
    const historyEvents = 10
    await disturb(historyEvents)
    const client = torture.clients[LONE]
    assert.ok(client)
    // One client is certain to miss events: more are published to its user than the history keeps while it is away.
    client.stop()
    for (let each = 0; each <= historyEvents; each += 1) torture.ledger.publish({ uid: [client.uid] })
    client.open()
    await torture.catchUp()
    const target = `user ${client.uid}`
    assert.ok(
      client.log.some((item) => 'gap' in item && item.gap.includes(target)),
      torture.summary,
    )
    check()
  })
})
