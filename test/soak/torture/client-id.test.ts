import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserActivityEvent } from '../../../lib/index.ts'
import { assertActivityRules, show } from '../../support/activity-rules.ts'
import { until } from '../../support/inbox.ts'
import { PATIENCE_MS, STORM_MS, Storm } from '../../support/storm.ts'
import type { StormClient } from '../../support/storm-clients.ts'
import { post, RoomLog } from '../../support/storm-rooms.ts'
import '../../support/process-guard.ts'

const CLIENTS = 120
const ROOMS = 10
/**
 * Longer than it takes anybody to come back. A page that is loaded anew knows nothing yet of the server's `retry`: as
 * long as its requests are cut, it waits for the three seconds of its library after each of them.
 */
const GRACE_MS = STORM_MS + 10_000

describe(`${CLIENTS} clients with a clientId that reload, join and leave in bad weather`, function () {
  this.timeout(STORM_MS + GRACE_MS + 4 * PATIENCE_MS)

  const log = new RoomLog()
  let storm: Storm
  after(() => storm.close())

  it('each keep their session and get all that is for them', async () => {
    storm = await Storm.gather({
      clients: CLIENTS,
      rooms: ROOMS,
      comet: { historyEvents: 100_000, offlineGrace: GRACE_MS },
      queryOf: (index) => `clientId=page-${index}&rid=${firstRoomOf(index)}`,
      watch: (each) => log.watch(each),
    })
    await storm.rage(() => Promise.all(storm.clients.map((client) => live(storm, client))))
    await storm.settle()
    const wanted = await Promise.all(
      storm.clients.map((client, index) => decide(storm, client, firstRoomOf(index))),
    )
    const { members, dumped } = await roomsAtLast(storm)
    for (const [index, { uid }] of storm.clients.entries()) {
      assert.deepEqual([members(uid), dumped(uid)], [wanted[index], wanted[index]], `${uid} ${storm.summary}`)
    }
    for (let each = 0; each < 100; each += 1) storm.ledger.publishAny()
    await storm.settle()
    if (process.env.COMET_TORTURE_VERBOSE) console.log(storm.summary)
    const problems = storm.clients.flatMap((client) => storm.ledger.check(client, log.staysOf(client.uid)))
    assert.deepEqual(problems, [], storm.summary)
    for (const { uid, sids } of storm.clients) {
      assert.equal(new Set(sids).size, 1, `${uid} had several sessions ${storm.summary}`)
    }
    assert.deepEqual(storm.host.errors, [], storm.summary)
  })

  it('are not called offline while they come back', () => {
    const gone = log.activity.filter(({ type }) => type === UserActivityEvent.Type.OFFLINE)
    assert.deepEqual(gone.map(show), [], storm.summary)
  })

  it('leave nothing behind when they are gone for good', async () => {
    for (const client of storm.clients) client.stop()
    const { comet } = storm.host
    const offline = () => log.activity.filter(({ type }) => type === UserActivityEvent.Type.OFFLINE).length
    await until(
      () => offline() >= CLIENTS,
      () => `offline: ${CLIENTS - offline()} of them (${storm.summary})`,
      GRACE_MS + PATIENCE_MS,
    )
    const { sessions, users, rooms } = comet.stats()
    assert.deepEqual([sessions, users, rooms, offline()], [0, 0, 0, CLIENTS], storm.summary)
    assert.equal(await comet.count('room-0'), 0)
    assertActivityRules(log.activity)
  })
})

function firstRoomOf(index: number): string {
  return `room-${index % ROOMS}`
}

/** What a page and its user do while the weather is bad. */
async function live({ random, proxy, host }: Storm, client: StormClient): Promise<void> {
  const end = performance.now() + STORM_MS
  while (performance.now() < end) {
    await sleep(random.int(50, 600))
    if (random.chance(0.3)) {
      client.reload()
      continue
    }
    const port = random.chance(0.5) ? proxy.port : host.port
    await post(port, client, random.pick(['JOIN', 'LEAVE'] as const), `room-${random.int(0, ROOMS - 1)}`)
  }
}

/** Makes sure of what rooms a client is in. @returns them, sorted */
async function decide({ random, host }: Storm, client: StormClient, first: string): Promise<string[]> {
  const wanted: string[] = []
  for (let room = 0; room < ROOMS; room += 1) {
    const rid = `room-${room}`
    // The first room is asked for by the URL, again and again.
    const joins = random.chance(0.4) || rid === first
    const status = await post(host.port, client, joins ? 'JOIN' : 'LEAVE', rid)
    assert.equal(status, 204, `${client.uid} ${rid}`)
    if (joins) wanted.push(rid)
  }
  return wanted
}

/** The rooms of each user, as `members` says and as `dump` says. */
async function roomsAtLast({ host: { comet } }: Storm) {
  const inside = new Map<string, string[]>()
  for (let room = 0; room < ROOMS; room += 1) {
    const rid = `room-${room}`
    for (const { uid } of await comet.members(rid)) inside.set(uid, [...(inside.get(uid) ?? []), rid])
  }
  const { sessions } = comet.dump()
  return {
    members: (uid: string) => inside.get(uid) ?? [],
    dumped: (uid: string) =>
      sessions.filter((each) => each.uid === uid).flatMap(({ rooms }) => rooms.toSorted()),
  }
}
