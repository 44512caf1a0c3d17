import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserActivityEvent } from '../../../lib/index.ts'
import { assertActivityRules, show } from '../../support/activity-rules.ts'
import { until } from '../../support/inbox.ts'
import { post, RoomLog } from '../../support/room-log.ts'
import { figure, sampled } from '../../support/tier.ts'
import { PATIENCE_MS, TORTURE_MS, Torture } from '../../support/torture.ts'
import type { TortureClient } from '../../support/torture-clients.ts'
import '../../support/process-guard.ts'

const CLIENTS = sampled(120, 50)
const ROOMS = 10
/** Longer than any client takes to reconnect. The test ends the graces itself. */
const GRACE_MS = 3_600_000

describe(`Takeover: ${CLIENTS} clients with a clientId that reload, join and leave while connections are cut,`, function () {
  this.timeout(TORTURE_MS + 4 * PATIENCE_MS)

  const log = new RoomLog()
  let torture: Torture
  after(() => torture.close())

  it('keep their sessions and get all events that are for them', async () => {
    torture = await Torture.start({
      clients: CLIENTS,
      rooms: ROOMS,
      comet: { historyEvents: 100_000, offlineGrace: GRACE_MS },
      queryOf: (index) => `clientId=page-${index}&rid=${firstRoomOf(index)}`,
      watch: (each) => log.watch(each),
    })
    await torture.disturb(() => Promise.all(torture.clients.map((client) => live(torture, client))))
    await torture.catchUp()
    const wanted = await Promise.all(
      torture.clients.map((client, index) => decide(torture, client, firstRoomOf(index))),
    )
    const { members, dumped } = await finalRooms(torture)
    for (const [index, { uid }] of torture.clients.entries()) {
      const { summary } = torture
      assert.deepEqual([members(uid), dumped(uid)], [wanted[index], wanted[index]], `${uid} ${summary}`)
    }
    for (let each = 0; each < 100; each += 1) torture.ledger.publishAny()
    await torture.catchUp()
    figure('taken over', torture.summary)
    const problems = torture.clients.flatMap((client) =>
      torture.ledger.check(client, log.staysOf(client.uid)),
    )
    assert.deepEqual(problems, [], torture.summary)
    for (const { uid, sids } of torture.clients) {
      assert.equal(new Set(sids).size, 1, `${uid} had several sessions ${torture.summary}`)
    }
    assert.deepEqual(torture.app.errors, [], torture.summary)
  })

  const offline = () => log.activity.filter(({ type }) => type === UserActivityEvent.Type.OFFLINE)

  it('are not reported OFFLINE while they reconnect', () => {
    assert.deepEqual(offline().map(show), [], torture.summary)
  })

  it('leave nothing behind when they have gone and their graces have ended', async () => {
    const { comet } = torture.app
    for (const client of torture.clients) client.stop()
    await until(
      () => comet.stats().sessions === 0,
      () => `gone (${torture.summary})`,
      PATIENCE_MS,
    )
    assert.deepEqual(offline(), [], torture.summary)
    await Promise.all(torture.clients.map(({ uid }) => comet.disconnect({ uid })))
    const { users, rooms } = comet.stats()
    assert.deepEqual([users, rooms, offline().length], [0, 0, CLIENTS], torture.summary)
    assert.equal(await comet.count('room-0'), 0)
    assertActivityRules(log.activity)
  })
})

function firstRoomOf(index: number): string {
  return `room-${index % ROOMS}`
}

/** What a page and its user do while connections are disturbed. */
async function live({ random, proxy, app }: Torture, client: TortureClient): Promise<void> {
  const end = performance.now() + TORTURE_MS
  while (performance.now() < end) {
    await sleep(random.int(50, 600))
    if (random.chance(0.3)) {
      client.reload()
      continue
    }
    const port = random.chance(0.5) ? proxy.port : app.port
    await post(port, client, random.pick(['JOIN', 'LEAVE'] as const), `room-${random.int(0, ROOMS - 1)}`)
  }
}

/** Decides for each room whether a client is in it. @returns the rooms it is in, sorted */
async function decide({ random, app }: Torture, client: TortureClient, first: string): Promise<string[]> {
  const wanted: string[] = []
  for (let room = 0; room < ROOMS; room += 1) {
    const rid = `room-${room}`
    // Every reconnect asks for the first room, in the URL.
    const joins = random.chance(0.4) || rid === first
    const status = await post(app.port, client, joins ? 'JOIN' : 'LEAVE', rid)
    assert.equal(status, 204, `${client.uid} ${rid}`)
    if (joins) wanted.push(rid)
  }
  return wanted
}

/** The rooms of each user by `members` and by `dump`. */
async function finalRooms({ app: { comet } }: Torture) {
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
