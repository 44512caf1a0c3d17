import {
  Comet,
  type CometEvent,
  type Event,
  type Message,
  parseEvent,
  type parseMessage,
  type Rid,
  type Uid,
} from 'comet-sse'
import { same } from './same.js'

declare const uid: string | undefined
declare const rid: string | null

const comet = new Comet({ canEnter: ({ uid, rid, session }) => uid === rid || session.rooms.includes(rid) })

// Users, rooms and the world.
comet.publish({ uid: 'alice', evt: 'opaque text' })
comet.publish({ uid: 42, evt: '' })
comet.publish({ uid: 42n, rid: 'lobby', evt: '' })
comet.publish({ rid: 'lobby', evt: { event: 'chat', data: { text: 'hello' } } })
comet.publish({ rid: 42, evt: '' })
comet.publish({ rid: 42n as Rid, evt: '' })
comet.publish({ evt: { event: 'tick', data: 'text', id: '1', server: 'here', time: 1n } })
comet.publish({ evt: '' }, { except: { uid: 'bob' }, transient: true })
comet.publish({ evt: '' }, { except: { sid: 'sid' } })
same<ReturnType<typeof comet.publish>, Promise<void>>(true)

// A target that may be missing must not become the world.
// @ts-expect-error
comet.publish({ uid, evt: 'x' })
// @ts-expect-error
comet.publish({ uid: undefined as string | undefined, evt: 'x' })
// @ts-expect-error
comet.publish({ uid: null as Uid | null, rid: 'lobby', evt: 'x' })
// @ts-expect-error
comet.publish({ rid, evt: 'x' })
// @ts-expect-error
comet.publish({ uid: 'alice' })
// @ts-expect-error
comet.publish({ evt: 1 })
// @ts-expect-error
comet.publish({ evt: '' }, { except: 'bob' })
// @ts-expect-error
new Comet({ canEnter: () => 'yes' })
// @ts-expect-error
new Comet({ heartbeat: 1 })

// A map of an application's events.
interface Events {
  chat: { text: string }
  count: number
}
const typed = new Comet<Events>()
typed.publish({ uid: 'alice', evt: { event: 'chat', data: { text: 'hello' } } })
typed.publish({ rid: 'lobby', evt: { event: 'count', data: 1 } })
typed.publish({ evt: 'opaque text' })
// @ts-expect-error
typed.publish({ evt: { event: 'chatter', data: { text: 'hello' } } })
// @ts-expect-error
typed.publish({ evt: { event: 'chat', data: { text: 1 } } })
// @ts-expect-error
typed.publish({ evt: { event: 'chat', data: 1 } })
// @ts-expect-error
typed.publish({ evt: { event: 'count', data: { text: 'hello' } } })
// @ts-expect-error
typed.publish({ evt: { data: { text: 'hello' } } })

// The objects of the protocol.
const event: Event = { uid: 'alice', evt: '' }
const alias: CometEvent = event
comet.publish(alias)
comet.publish(parseEvent('{}'))
const message: Message = { event: 'chat', time: 1n }
same<typeof message.data, string | undefined>(true)
same<ReturnType<typeof parseMessage>, Required<Message>>(true)
// @ts-expect-error
const untimely: Message = { time: 1 }
// @ts-expect-error
const nobodys: Event = { uid, evt: '' }

export { nobodys, untimely }
