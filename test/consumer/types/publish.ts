import {
  Comet,
  type CometEvent,
  type Event,
  type Message,
  parseEvent,
  type parseMessage,
  type Rid,
  type SessionInfo,
  type Uid,
} from 'comet-sse'
import { same } from './same.js'

declare const uid: string | undefined
declare const rid: string | null

const sid = 'node.sid'
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
comet.publish({ evt: '' }, { except: { uid: ['bob', 7] } })

// Named events, one session, several targets.
comet.publish({ rid: 'lobby', event: 'chat', data: { text: 'hi' } })
comet.publish({ event: 'refresh' })
comet.publish({ event: 'anything', data: null })
comet.publish({ sid, event: 'snapshot', data: [1] })
comet.publish({ uid: ['alice', 42, 42n], event: 'x', data: 1 })
comet.publish({ rid: ['a', 'b'] as readonly string[], evt: 'x' })
comet.publish({ sid: [sid], evt: 'x' })
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
comet.publish({ uid: ['alice', uid], evt: 'x' })
// @ts-expect-error
comet.publish({ sid, uid: 'alice', evt: 'x' })
// @ts-expect-error
comet.publish({ event: 'x', data: 1, evt: 'x' })
// @ts-expect-error
comet.publish({ rid: 'lobby', data: 1 })
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
  refresh: undefined
}
const typed = new Comet<Events>()
typed.publish({ rid: 'lobby', event: 'chat', data: { text: 'hello' } })
typed.publish({ uid: ['alice', 'bob'], event: 'count', data: 1 })
typed.publish({ event: 'refresh' })
typed.publish({ uid: 'alice', evt: { event: 'chat', data: { text: 'hello' } } })
typed.publish({ rid: 'lobby', evt: { event: 'count', data: 1 } })
typed.publish({ evt: 'opaque text' })
// @ts-expect-error
typed.publish({ event: 'chatter', data: { text: 'hello' } })
// @ts-expect-error
typed.publish({ event: 'chat', data: { text: 1 } })
// @ts-expect-error
typed.publish({ event: 'chat' })
// @ts-expect-error
typed.publish({ event: 'count', data: { text: 'hello' } })
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

// A Comet of an app's own events and info is a Comet.
const plain: Comet = typed
const informed: Comet = new Comet<Events, { name: string }>()
const takeComet = (each: Comet) => each.stats()
takeComet(typed)

// A wrapper that is generic over the name.
const notify = <Name extends keyof Events>(to: string, event: Name, data: Events[Name]) =>
  typed.publish({ uid: to, event, data })
notify('alice', 'chat', { text: 'hello' })
notify('alice', 'count', 1)
// @ts-expect-error
notify('alice', 'count', 'one')
class Notifier<E extends Record<string, unknown>> {
  readonly #comet: Comet<E>
  constructor(comet: Comet<E>) {
    this.#comet = comet
  }
  notify<Name extends keyof E & string>(to: string, event: Name, data: E[Name]): Promise<void> {
    return this.#comet.publish({ uid: to, event, data })
  }
}

// Streams.
declare const tokens: AsyncIterable<string>
declare const numbers: AsyncIterable<number>
const { signal } = new AbortController()
same<ReturnType<typeof comet.publishAll>, Promise<number>>(true)
comet.publishAll({ rid: 'run' }, tokens, { event: 'token', signal })
typed.publishAll({ rid: 'run' }, numbers, { event: 'count', end: 'done', transient: true })
// @ts-expect-error
typed.publishAll({ rid: 'run' }, tokens, { event: 'count' })
// @ts-expect-error
comet.publishAll({ rid: 'run' }, tokens, {})

// The type of `info`.
const known = new Comet<Events, { name: string }>({
  canEnter: ({ info }) => info?.name === 'Alice',
  onMessage: ({ info, session }) => {
    same<typeof info, { name: string } | undefined>(true)
    return session.rooms.includes('lobby')
  },
  keepHistory: ({ uid, rid }) => (rid === 'run' ? { events: 5_000, age: 1_000 } : uid !== undefined),
})
known.on('message', ({ info }) => same<typeof info, { name: string } | undefined>(true))
known.members('lobby', { limit: 10, after: 'alice' }).then((members) => {
  same<(typeof members)[number]['info'], { name: string } | undefined>(true)
})
// @ts-expect-error
new Comet({ keepHistory: () => ({ count: 1 }) })

// What is stored, and who is there.
for (const { position, event, data, evt } of comet.history({ rid: 'lobby' }, { limit: 1 })) {
  same<typeof position, string>(true)
  same<typeof event, string | undefined>(true)
  same<typeof data, unknown>(true)
  same<typeof evt, string | undefined>(true)
}
comet.history({ sid })
// @ts-expect-error
comet.history({ rid: ['a'] })
same<ReturnType<typeof comet.session>, SessionInfo | undefined>(true)
same<ReturnType<typeof comet.sessionsOf>, SessionInfo[]>(true)
same<ReturnType<typeof comet.roomsOf>, Promise<string[]>>(true)
same<ReturnType<typeof comet.position>, Promise<string>>(true)

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

export { informed, Notifier, nobodys, plain, untimely }
