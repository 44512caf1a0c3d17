import { connect } from '@nats-io/transport-node'
import { Comet, MemoryBroker, Publisher, UserActivityEvent } from 'comet-sse'
import {
  decodeEvent,
  decodeMessage,
  decodeUserActivityEvent,
  encodeEvent,
  encodeMessage,
  encodeUserActivityEvent,
  NatsBroker,
  type NatsBrokerOptions,
  type NatsSource,
  type StreamOptions,
} from 'comet-sse/nats'
import { redisCluster } from 'comet-sse/redis'

const stream: StreamOptions = { storage: 'memory', replicas: 3, stream: 'EVENTS' }
const options: NatsBrokerOptions = { jetstream: stream, secret: 'a secret of some length' }
const source: NatsSource = await connect({ maxReconnectAttempts: -1 })
const broker = new NatsBroker(source, options)
new NatsBroker('nats://localhost:4222', { jetstream: true })
new NatsBroker({ servers: ['nats://localhost:4222'], user: 'comet', pass: 'secret' })

const cluster = redisCluster('redis://localhost:6379')
export const comet = new Comet({ ...cluster, broker, namespace: 'io.goeasy', heard: 'record' })
export const publisher = new Publisher({ ...cluster, broker, namespace: 'io.goeasy' })
const { presence, controller } = new MemoryBroker()
export const alone = new Comet({ broker, presence, controller })

// @ts-expect-error
new NatsBroker()
// @ts-expect-error
new NatsBroker(source, { jetstream: 'file' })
// @ts-expect-error
new NatsBroker(source, { jetstream: { replicas: '3' } })

const bytes: Uint8Array = encodeEvent({ uid: 'alice', evt: 'hello' })
const { uid, rid, evt } = decodeEvent(bytes)
const { time } = decodeMessage(encodeMessage({ event: 'chat', time: 1n }))
const { type } = decodeUserActivityEvent(
  encodeUserActivityEvent({ type: UserActivityEvent.Type.ONLINE, uid: 'alice', time }),
)
export const read: [string | undefined, string | undefined, string, bigint, UserActivityEvent.Type] = [
  uid,
  rid,
  evt,
  time,
  type,
]
