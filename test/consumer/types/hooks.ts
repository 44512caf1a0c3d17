import {
  type ClientMessage,
  Comet,
  CometError,
  type CometErrorCode,
  type CometStats,
  type HookListener,
  type Member,
  type parseUserActivityEvent,
  UserActivityEvent,
} from 'comet-sse'
import { same } from './same.js'

const comet = new Comet()

// Each hook, with the type of its event.
comet.on('activity', (activity: UserActivityEvent) => console.log(activity.toJSON()))
comet.on('enter', (activity) => {
  const rid: string = activity.rid
  same<typeof activity.time, bigint>(true)
  return rid
})
comet.on('leave', ({ rid }) => same<typeof rid, string>(true))
comet.on('online', ({ uid, rid }) => {
  same<typeof uid, string>(true)
  // @ts-expect-error
  const room: string = rid
  return room
})
comet.once('offline', async (activity) => same<typeof activity, UserActivityEvent>(true))
comet.on('heard', () => undefined)
comet.on('message', ({ uid, sid, evt }) =>
  same<[typeof uid, typeof sid, typeof evt], [string, string, string]>(true),
)
comet.on('error', (error: Error) => error.stack)
const listener: HookListener<'message'> = (message) => same<typeof message, ClientMessage>(true)
comet.on('message', listener).off('message', listener)
// @ts-expect-error
comet.on('gone', () => {})
// @ts-expect-error
comet.on('error', (code: number) => code)

// The kinds of activity, as values and as types.
const type: UserActivityEvent.Type = UserActivityEvent.Type.ONLINE
same<typeof UserActivityEvent.Type.LEAVE_ROOM, 5>(true)
same<ReturnType<typeof parseUserActivityEvent>, UserActivityEvent>(true)
new UserActivityEvent({ type, uid: 'alice', time: 1n })
// @ts-expect-error
const unknownType: UserActivityEvent.Type = 6
// @ts-expect-error
comet.on('activity', (activity) => (activity.time = 1n))

// The errors that an app may throw, and the codes that it may switch on.
const refuses = new Comet({
  onMessage: ({ evt }) => {
    if (evt === '') throw new CometError('FORBIDDEN', 'Say something.')
    return { length: evt.length }
  },
})
same<CometError['code'], CometErrorCode>(true)
// Undefined for an error about what the app did.
same<CometError['status'], number | undefined>(true)
// @ts-expect-error
new CometError('NO_SUCH_CODE')

// The users that are online.
export async function presence(): Promise<void> {
  const here: boolean = await comet.enter({ uid: 'alice' }, 'lobby')
  const left: boolean = await comet.leave({ sid: 'sid' }, 'lobby')
  const ended: number = await comet.disconnect({ rid: 'lobby' }, { reason: 'closing time', reconnect: true })
  const online: boolean = await comet.isOnline(42)
  const members: Member[] = await comet.members(42)
  await comet.enter({ uid: 42 }, 7)
  await comet.leave({ uid: 42n }, 7n)
  await comet.disconnect({ rid: 7 })
  comet.history({ rid: 7 }, { limit: 1 })
  const stats: CometStats = comet.stats()
  comet.heard('alice')
  await comet.ready
  await comet.close({ drain: 5_000 })
  console.log(here, left, ended, online, members, stats, comet.dump().sessions[0]?.rooms)
  // @ts-expect-error
  await comet.enter('alice', 'lobby')
}

export { refuses, unknownType }
