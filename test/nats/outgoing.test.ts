import assert from 'node:assert/strict'
import type { NatsConnection } from '@nats-io/transport-node'
import fc from 'fast-check'
import { ActivityTopic } from '../../adapters/nats/activity-topic.ts'
import { IncomingReader } from '../../adapters/nats/incoming.ts'
import { Outgoing } from '../../adapters/nats/outgoing.ts'
import { Signer } from '../../adapters/nats/signature.ts'
import { subjectsOf } from '../../adapters/nats/subjects.ts'
import { parseMessage, UserActivityEvent } from '../../lib/index.ts'
import type { Envelope, Except, Receivers } from '../../lib/ports/broker.ts'
import { anyText } from '../support/arbitraries.ts'
import { readAsGo, SUBJECTS } from '../support/go-messages.ts'
import { runs } from '../support/tier.ts'

const signer = new Signer('secret of the namespace')
const sender = { origin: 'n1.abc', server: 'comet-1' }

const id = anyText.map((text) => `${text.toWellFormed().replace(/[\r\n\0]/g, '')}x`)
const ids = fc.oneof(
  fc.array(id, { minLength: 1, maxLength: 4 }),
  // Ids of very different lengths.
  fc.array(
    fc.nat({ max: 4_000 }).map((length) => 'é'.repeat(length + 1)),
    { minLength: 1, maxLength: 3 },
  ),
)

const list = (key: 'uids' | 'rids' | 'sids') => ids.map((each) => ({ [key]: each }) as Receivers)

const envelopes: fc.Arbitrary<Envelope> = fc.record(
  {
    to: fc.oneof(list('uids'), list('rids'), list('sids'), fc.constant({})),
    data: anyText.map((text) => text.toWellFormed()),
    event: anyText,
    except: fc.oneof(list('uids'), list('sids')) as fc.Arbitrary<Except>,
    transient: fc.constant(true),
  },
  { requiredKeys: ['to', 'data'], noNullPrototype: true },
)

describe('What a Comet publishes', () => {
  it('is byte for byte what go-micro v2 and v5 both accept, with one more header', () => {
    const outgoing = new Outgoing({ to: { uids: ['u1'] }, data: 'hi' }, SUBJECTS, sender)
    const text = '{"from":"n1.abc","n":7}'
    const value = signer.sign('Comet-Envelope', SUBJECTS.events, text, 'CgJ1MRoCaGk=')
    assert.deepEqual(outgoing.messages(7, signer), [
      {
        subject: 'io.goeasy.service.comet',
        payload: `{"Header":{"Content-Type":"application/protobuf","Micro-Topic":"io.goeasy.service.comet","Comet-Envelope":${JSON.stringify(value)}},"Body":"CgJ1MRoCaGk="}`,
      },
    ])
  })

  it('is an Event for each user or room, of which the first one tells Comets all', () => {
    const outgoing = new Outgoing(
      { to: { rids: ['r1', 'r2'] }, data: 'hi', transient: true },
      SUBJECTS,
      sender,
    )
    assert.equal(outgoing.count, 2)
    const [first, second] = outgoing
      .messages(7, signer)
      .map(({ payload }) => readAsGo(SUBJECTS.events, payload))
    assert.deepEqual(first?.fields, { uid: '', rid: 'r1', evt: 'hi' })
    assert.deepEqual(second?.fields, { uid: '', rid: 'r2', evt: 'hi' })
    assert.match(
      first?.header['Comet-Envelope'] ?? '',
      /^\S{22} \{"from":"n1\.abc","n":7,"to":\{"rids":\["r1","r2"\]\},"transient":true\}$/,
    )
    assert.match(second?.header['Comet-Skip'] ?? '', /^\S{22} \{"n":7\}$/)
  })

  it('is a Message for a named event, with the time as a bare integer', () => {
    const outgoing = new Outgoing({ to: {}, event: 'tick', data: '<b>' }, SUBJECTS, sender)
    const [message] = outgoing.messages(1, signer)
    const evt = String(readAsGo(SUBJECTS.events, message?.payload ?? '').fields.evt)
    assert.match(evt, /^\{"server":"comet-1","event":"tick","data":"\\u003cb\\u003e","time":\d{19}\}$/)
    assert.deepEqual(
      { ...parseMessage(evt), time: 0n },
      { server: 'comet-1', event: 'tick', data: '<b>', id: '', time: 0n },
    )
  })

  it('goes to sessions on a subject that no Go service hears', () => {
    const [message] = new Outgoing({ to: { sids: ['s1'] }, data: 'hi' }, SUBJECTS, sender).messages(1, signer)
    assert.equal(message?.subject, 'io.goeasy.comet.session')
  })

  it('is read by a Comet as it was published, and by Go services as Events, whatever it is', () => {
    const forged: string[] = []
    const subjects = subjectsOf('namespace-é')
    const reader = new IncomingReader(subjects, signer, (subject) => forged.push(subject))
    fc.assert(
      fc.property(envelopes, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (envelope, number) => {
        const { to } = envelope
        const messages = new Outgoing(envelope, subjects, sender).messages(number, signer)
        const [first, ...others] = messages.map(({ subject, payload }) =>
          reader.read(subject, Buffer.from(payload)),
        )
        assert.deepEqual(first, { envelope, origin: { node: 'n1.abc', number } })
        assert.deepEqual(others, Array(messages.length - 1).fill(undefined))
        const events = messages.map(({ subject, payload }) => readAsGo(subject, payload).fields)
        assert.deepEqual(
          events.map(({ uid, rid }) => uid || rid),
          to.uids ?? to.rids ?? [''],
        )
      }),
      runs(500),
    )
    assert.deepEqual(forged, [])
  })

  it('is not larger than it says before its number and signature are known', () => {
    const namespaces = fc.constantFrom('io.goeasy', 'é'.repeat(128))
    fc.assert(
      fc.property(envelopes, namespaces, (envelope, namespace) => {
        const outgoing = new Outgoing(envelope, subjectsOf(namespace), sender)
        const messages = outgoing.messages(Number.MAX_SAFE_INTEGER, signer)
        const sizes = messages.map(({ payload }) => Buffer.byteLength(payload))
        assert.equal(messages.length, outgoing.count)
        assert.ok(Math.max(...sizes) <= outgoing.largest, `${sizes} <= ${outgoing.largest}`)
        const sum = sizes.reduce((a, b) => a + b)
        assert.ok(sum <= outgoing.bytes, `${sizes} <= ${outgoing.bytes}`)
        // Nor is it said to be much larger: an event that NATS takes must not be refused.
        assert.ok(outgoing.largest <= Math.max(...sizes) + 160, `${outgoing.largest} ${sizes}`)
      }),
      runs(500),
    )
  })
})

describe('ActivityTopic', () => {
  it('publishes byte for byte what go-micro v2 and v5 both accept', async () => {
    const published: [string, string][] = []
    const topic = new ActivityTopic(SUBJECTS.activity)
    topic.connected({
      publish: (subject: string, payload: string) => published.push([subject, payload]),
      flush: async () => {},
    } as unknown as NatsConnection)
    const { ONLINE, ENTER_ROOM } = UserActivityEvent.Type
    const time = 1700000000123456789n
    await topic.publish([
      new UserActivityEvent({ type: ONLINE, uid: 'u1', time }),
      new UserActivityEvent({ type: ENTER_ROOM, uid: 'u1', rid: 'r1', time }),
    ])
    const payload = (body: string) =>
      `{"Header":{"Content-Type":"application/protobuf","Micro-Topic":"io.goeasy.topic.user-activity"},"Body":"${body}"}`
    assert.deepEqual(published, [
      ['io.goeasy.topic.user-activity', payload('CAESAnUxKJWal+zjn+fLFw==')],
      ['io.goeasy.topic.user-activity', payload('CAQSAnUxGgJyMSiVmpfs45/nyxc=')],
    ])
    const fields = published.map(([subject, text]) => readAsGo(subject, text, 'UserActivityEvent').fields)
    assert.deepEqual(fields, [
      { type: ONLINE, uid: 'u1', rid: '', time },
      { type: ENTER_ROOM, uid: 'u1', rid: 'r1', time },
    ])
    topic.close()
  })
})
