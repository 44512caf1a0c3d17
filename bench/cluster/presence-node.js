import { importComet } from '../comet-package.js'
import { serve } from '../peer.js'
import { connectRedis } from './clients.js'

/** @type {import('comet-sse').PresenceConnection} */
let presence
/** How many transitions this node was told, by type. @type {Record<string, number>} */
let told = {}

/** @typedef {{ from: number, count: number, rooms?: number, batch: number, grace?: number }} Plan */

/** @param {number} user @param {string} [of] names a connection of the page */
function session(user, of = '') {
  return { uid: `user-${user}`, connection: connectionOf(user, of), clientId: `page-of-user-${user}` }
}

/** As long as those of a Comet. @param {number} user @param {string} of */
function connectionOf(user, of) {
  return `${user}${of}`.padEnd(22, 'c')
}

/** Rooms of ten members. @param {number} user @param {number} count */
function roomsOf(user, count) {
  return Array.from({ length: count }, (_, index) => ({
    rid: `room-${index}-${Math.floor(user / 10)}`,
    by: /** @type {const} */ ('url'),
  }))
}

/**
 * Does something for the users `from`, `from + 1`, …: `batch` of them at the same time.
 *
 * @param {Plan} plan @param {(user: number) => Promise<unknown>} act
 */
async function each({ from, count, batch }, act) {
  for (let user = from; user < from + count; user += batch) {
    const size = Math.min(batch, from + count - user)
    await Promise.all(Array.from({ length: size }, (_, index) => act(user + index)))
  }
}

/** @type {ReturnType<typeof connectRedis>} */
let client

serve({
  /** @param {{ redisPort: number, id: string, lease: number, grace: number }} request */
  async start({ redisPort, id, lease, grace }) {
    const { redisCluster } = await importComet('./redis')
    client = connectRedis(redisPort)
    presence = redisCluster(client, { lease }).presence.join({
      id,
      grace,
      namespace: 'bench',
      activity: 'local',
      onActivity(events) {
        for (const { type } of events) told[type] = (told[type] ?? 0) + 1
      },
      onRoomChange() {},
      sessions: () => [],
      onSuperseded() {},
      onMembershipRestored() {},
      onStatus() {},
    })
    await presence.isOnline('nobody')
  },

  /** Sets a key for each user, to compare with. @param {Plan} plan */
  set: (plan) => each(plan, (user) => client.set(`user-${user}`, 'x'.repeat(150))),

  /** Runs a script that does nothing for each user, to compare with. @param {Plan} plan */
  evaluate: (plan) => each(plan, () => client.eval("return redis.call('TIME')", 0)),

  /** @param {Plan} plan */
  connect: (plan) => each(plan, (user) => presence.connect(session(user), roomsOf(user, plan.rooms ?? 0))),

  /** The same pages connect again, each with a new connection. @param {Plan} plan */
  takeOver: (plan) =>
    each(plan, (user) => presence.connect(session(user, 'again'), roomsOf(user, plan.rooms ?? 0))),

  /** Ends the connections that {@link takeOver} made. @param {Plan} plan */
  disconnect: (plan) =>
    each(plan, (user) => {
      const sid = connectionOf(user, '')
      return presence.disconnect(
        { sid, uid: `user-${user}`, connection: connectionOf(user, 'again') },
        plan.grace ?? 0,
      )
    }),

  /** Waits until this node was told so many transitions of a type. @param {{ type: string, count: number }} request */
  async told({ type, count }) {
    while ((told[type] ?? 0) < count) await new Promise((resolve) => setTimeout(resolve, 20))
    const all = told
    told = {}
    return all
  },
})
