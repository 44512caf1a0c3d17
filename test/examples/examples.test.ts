import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEventSource } from '../support/clients.ts'
import { Cuttable } from '../support/cuttable.ts'
import { Example } from '../support/example.ts'
import { is, type Listener, listenTo, namesOf, type Received, textsOf } from '../support/listener.ts'
import { requireProgram } from '../support/requirements.ts'

/** The names of all events that the examples publish. */
const EVENTS = ['notification', 'chat', 'enter', 'leave', 'typing', 'room']

describe('Examples', () => {
  let example: Example
  let listeners: Listener[]

  const listen = async (path: string, url = example.url): Promise<Listener> => {
    const listener = await listenTo(url + path, EVENTS)
    listeners.push(listener)
    return listener
  }

  beforeEach(() => {
    listeners = []
  })

  afterEach(async () => {
    await example?.stop()
    for (const listener of listeners) listener.close()
  })

  for (const name of ['express-notifications', 'koa-notifications']) {
    describe(name, () => {
      beforeEach(async () => {
        example = await Example.start(name)
      })

      const notify = async (uid: string, text: unknown): Promise<number> => {
        const headers = { 'Content-Type': 'application/json' }
        const request = { method: 'POST', headers, body: JSON.stringify({ text }) }
        return (await fetch(`${example.url}/notify/${encodeURIComponent(uid)}`, request)).status
      }

      it('serves its page', async () => {
        await servesPage('Notifications')
      })

      it('delivers a notification to its user and nobody else', async () => {
        const alice = await listen('/comet?uid=alice')
        const bob = await listen('/comet?uid=b%C3%B6b%2F2')
        equal(await notify('alice', 'one'), 204)
        equal(await notify('böb/2', 'two'), 204)
        deepEqual(await alice.until(isNotification), { event: 'notification', data: { text: 'one' } })
        deepEqual(await bob.until(isNotification), { event: 'notification', data: { text: 'two' } })
        equal(alice.received.length, 1)
        equal(bob.received.length, 1)
      })

      it('continues after a reconnect without duplicates', async () => {
        const first = await listen('/comet?uid=alice')
        await notify('alice', 'one')
        await first.until(isNotification)
        first.close()
        const second = await listen('/comet?uid=alice')
        await notify('alice', 'two')
        await second.until(({ data }) => data.text === 'two')
        deepEqual(textsOf(second), ['two'])
        deepEqual(textsOf(first), ['one'])
      })

      it('refuses a stream without a user, and a missing or invalid text', async () => {
        equal((await fetch(`${example.url}/comet`)).status, 401)
        for (const text of [undefined, '', 5, 'x'.repeat(1_001)]) equal(await notify('alice', text), 400)
      })

      it('ends at SIGTERM although a stream is open', async () => {
        await listen('/comet?uid=alice')
        await endsWell()
      })
    })
  }

  // The same chat on one process, and on three behind a proxy that is not sticky.
  for (const name of ['chat', 'cluster']) {
    describe(name, () => {
      beforeEach(async function () {
        if (name === 'cluster') requireProgram(this, 'redis-server', 'apt-get install redis-server')
        example = await Example.start(name)
      })

      testTogether()
      if (name === 'chat') testMore()
    })
  }

  describe('go-micro', () => {
    beforeEach(async function () {
      requireProgram(this, 'nats-server', 'apt-get install nats-server')
      example = await Example.start('go-micro')
    })

    /** What the program that stands for a Go service has heard, without the times. */
    const heard = () =>
      Array.from(example.output.out.matchAll(/^Go service heard: (.+) \(\d{19}\)$/gm), ([, what]) => what)

    it('serves its page', async () => {
      await servesPage('Go Micro')
    })

    it('brings events of Go services to pages, and tells the services of users, also at the end', async () => {
      const page = openEventSource(`${example.url}/comet?uid=u1&rid=r1`)
      try {
        const { sid } = JSON.parse((await page.next('comet.ready')).data)
        const expected = ['ONLINE u1', 'ENTER_ROOM u1 r1']
        for (const event of [
          'hi',
          'from v5, to the room',
          '{"server":"io.goeasy.cli.pub","event":"demo","data":"\\u003cb\\u003e","time":1700000000123456789}',
        ]) {
          const headers = { 'Content-Type': 'application/json' }
          const packet = { method: 'POST', headers, body: '{"type":"HB"}' }
          equal((await fetch(`${example.url}/comet/${sid}?uid=u1`, packet)).status, 204)
          expected.push('HEARD u1')
          equal((await page.next('message')).data, event)
          // HEARD goes into the record once a second.
          await sleep(1_100)
        }
        equal(await example.stop(), 0)
        deepEqual(heard(), [...expected, 'LEAVE_ROOM u1 r1', 'OFFLINE u1'])
        equal(example.output.err, '')
      } finally {
        page.close()
      }
    })
  })

  const come = (name: string, room = 'lobby') => listen(`/comet?${new URLSearchParams({ name, rid: room })}`)
  const say = (who: Listener, text: unknown, room = 'lobby') => send(who, { room, text })
  const send = (who: Listener, content: object) =>
    who.post({ type: 'SEND', send: { evt: JSON.stringify(content) } })
  const see = async (name: string, rid = 'lobby') => {
    const response = await fetch(`${example.url}/room?${new URLSearchParams({ name, rid })}`)
    return (await response.json()) as { members: string[]; messages: unknown[] }
  }

  function testTogether() {
    it("shows two people each other's coming, messages and leaving", async () => {
      const ada = await come('Ada')
      const bob = await come('Bob')
      deepEqual((await ada.until(is('enter', 'Bob'))).data, { room: 'lobby', name: 'Bob' })
      equal(await say(ada, ' hello '), 204)
      equal(await say(bob, 'hi'), 204)
      for (const who of [ada, bob]) {
        await who.until(is('chat', 'Bob'))
        deepEqual(textsOf(who), ['hello', 'hi'])
      }
      const { members, messages } = await see('Bob')
      deepEqual(members, ['Ada', 'Bob'])
      deepEqual(
        messages,
        ada.received.filter(({ event }) => event === 'chat').map(({ data }) => data),
      )
      await bob.post({ type: 'BYE' })
      await ada.until(is('leave', 'Bob'))
      deepEqual((await see('Ada')).members, ['Ada'])
    })

    it('gives a page that was cut its session back, with its rooms and what they were sent', async () => {
      const ada = await come('Ada')
      const way = await Cuttable.to(example.url)
      try {
        const bob = await listen('/comet?name=Bob&clientId=page', way.url)
        equal(await ada.post({ type: 'JOIN', join: { rid: 'den' } }), 204)
        equal(await bob.post({ type: 'JOIN', join: { rid: 'den' } }), 204)
        await ada.until(is('enter', 'Bob'))
        way.cut()
        await say(ada, 'meanwhile', 'den')
        await bob.until(is('chat', 'Ada'))
        equal(await say(bob, 'after', 'den'), 204)
        for (const who of [ada, bob]) {
          await who.until(is('chat', 'Bob'))
          deepEqual(textsOf(who), ['meanwhile', 'after'])
        }
        deepEqual(namesOf(ada, 'enter', 'leave'), ['Bob'])
      } finally {
        way.close()
      }
    })

    it('takes a message once that a browser sent twice', async () => {
      const ada = await come('Ada')
      const packet = { evt: JSON.stringify({ room: 'lobby', text: 'once' }) }
      for (const id of ['1', '1', '2']) equal(await ada.post({ type: 'SEND', send: { ...packet, id } }), 204)
      await say(ada, 'last')
      await ada.until(({ data }) => data.text === 'last')
      deepEqual(textsOf(ada), ['once', 'once', 'last'])
    })

    it('ends at SIGTERM although people are connected and a browser holds a spare connection', async () => {
      await come('Ada')
      await come('Bob')
      const spare = connect(Number(new URL(example.url).port), '127.0.0.1')
      await once(spare, 'connect')
      await endsWell()
      spare.destroy()
    })
  }

  function testMore() {
    it('serves its page, which loads nothing from elsewhere', async () => {
      await servesPage('Comet chat')
      const { headers } = await fetch(example.url)
      match(headers.get('content-security-policy') ?? '', /^default-src 'self'/)
      for (const file of ['chat.js', 'view.js', 'style.css']) {
        equal((await fetch(`${example.url}/${file}`)).status, 200)
      }
    })

    it('reports nothing about a reconnect within the grace', async () => {
      const ada = await come('Ada')
      const before = await come('Bob')
      const carol = await come('Carol')
      await say(before, 'hello')
      await before.until(is('chat', 'Bob'))
      before.close()
      const after = await come('Bob')
      // Carol does not return. Her grace began after that of Bob's first connection, so it ends later.
      carol.close()
      await ada.until(is('leave', 'Carol'))
      await say(after, 'again')
      for (const who of [after, ada]) await who.until(({ data }) => data.text === 'again')
      deepEqual(textsOf(after), ['again'])
      deepEqual(
        ada.received
          .filter(({ event }) => event !== 'room')
          .map(({ event, data }) => `${data.name} ${event}`),
        ['Bob enter', 'Carol enter', 'Bob chat', 'Carol leave', 'Bob chat'],
      )
      deepEqual((await see('Ada')).members, ['Ada', 'Bob'])
    })

    it('tells everybody how full a room is, and forgets an opened room when it is empty', async () => {
      const ada = await come('Ada')
      const bob = await come('Bob')
      const about = (room: string, count: number, fixed: boolean) => (received: Received) =>
        received.event === 'room' && JSON.stringify(received.data) === JSON.stringify({ room, count, fixed })
      equal(await bob.post({ type: 'JOIN', join: { rid: 'den' } }), 204)
      await ada.until(about('den', 1, false))
      await say(bob, 'secret', 'den')
      equal(await bob.post({ type: 'LEAVE', leave: { rid: 'den' } }), 204)
      await ada.until(about('den', 0, false))
      equal(await ada.post({ type: 'JOIN', join: { rid: 'den' } }), 204)
      deepEqual(await see('Ada', 'den'), { members: ['Ada'], messages: [] })
    })

    it('forwards typing notices to the others', async () => {
      const ada = await come('Ada')
      const bob = await come('Bob')
      equal(await send(bob, { room: 'lobby', typing: true }), 204)
      await ada.until(is('typing', 'Bob'))
      await say(bob, 'hello')
      await bob.until(is('chat', 'Bob'))
      ok(!bob.received.some(({ event }) => event === 'typing'))
    })

    it('shows a room to its members only', async () => {
      const ada = await come('Ada')
      await come('Bob', 'coffee')
      equal(await say(ada, 'hello', 'coffee'), 403)
      equal((await fetch(`${example.url}/room?name=Ada&rid=coffee`)).status, 403)
      equal((await fetch(`${example.url}/room?rid=lobby`)).status, 403)
      equal((await fetch(`${example.url}/rooms`)).status, 401)
    })

    it('takes a message only from a page that is in the room itself', async () => {
      const inside = await come('Ada', 'coffee')
      const outside = await come('Ada')
      equal(await say(outside, 'from the lobby', 'coffee'), 403)
      equal(await send(outside, { room: 'coffee', typing: true }), 403)
      equal(await say(inside, 'hello', 'coffee'), 204)
      await inside.until(is('chat', 'Ada'))
      deepEqual(textsOf(inside), ['hello'])
      deepEqual(textsOf(outside), [])
    })

    it('refuses invalid names, rooms and texts', async () => {
      for (const name of ['', ' ', ' a', 'a\nb', 'x'.repeat(25)]) {
        equal((await fetch(`${example.url}/comet?${new URLSearchParams({ name })}`)).status, 401)
      }
      const ada = await come('Ada')
      for (const rid of [' ', 'x'.repeat(25), 'a\tb'])
        equal(await ada.post({ type: 'JOIN', join: { rid } }), 403)
      for (const text of [undefined, 5, '', ' \n', 'x'.repeat(1_001)]) equal(await say(ada, text), 400)
      for (const evt of ['', '{', 'null', '5', '{"room":5}']) {
        equal(await ada.post({ type: 'SEND', send: { evt } }), 400)
      }
    })
  }

  async function servesPage(title: string): Promise<void> {
    const response = await fetch(example.url)
    equal(response.status, 200)
    match(response.headers.get('content-type') ?? '', /^text\/html/)
    ok((await response.text()).includes(`<title>${title}</title>`))
  }

  async function endsWell(): Promise<void> {
    equal(await example.stop(), 0)
    match(example.output.out, /^[\w ]+: http:\/\/127\.0\.0\.1:\d+\n( {2}a process of it: \S+\n)*$/)
    equal(example.output.err, '')
  }
})

const isNotification = ({ event }: Received) => event === 'notification'
