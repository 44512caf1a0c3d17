/** A page of one of the framework examples, by a client that does not import the package. */
import { deepEqual, equal } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'

/** A factor for slow machines, as in test/support/inbox.ts. */
const PATIENCE = Number(process.env.COMET_TEST_PATIENCE || 1)
export const scaled = (ms) => ms * PATIENCE

export class LobbyClient {
  /** What has come: [name of the event, its data]. */
  received = []
  #name
  #mount
  #source

  /** @param mount the URL of the stream */
  constructor(mount, name) {
    this.#name = name
    this.#mount = mount
    const query = new URLSearchParams({ name, rid: 'lobby' })
    // Some examples take the user from the URL, others from a cookie.
    const fetchAs = (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...this.headers } })
    this.#source = new EventSource(`${mount}?${query}`, { fetch: fetchAs })
    for (const event of ['comet.ready', 'comet.close', 'said', 'came', 'went', 'notice']) {
      this.#source.addEventListener(event, ({ data }) => this.received.push([event, JSON.parse(data)]))
    }
  }

  get headers() {
    return { cookie: `name=${this.#name}` }
  }

  /** @returns the data of the events with a name */
  all(event) {
    return this.received.filter(([each]) => each === event).map(([, data]) => data)
  }

  /** Waits until an event has come so many times. @returns its data */
  async next(event, count = 1) {
    const seen = () => `${this.#name} has no ${count}. ${event}. It has ${JSON.stringify(this.received)}`
    await until(() => this.all(event).length >= count, seen)
    return this.all(event)[count - 1]
  }

  /** Sends a named event up. @returns the status */
  async send(event, data) {
    const { sid } = this.all('comet.ready').at(-1)
    const { status } = await fetch(`${this.#mount}/${sid}?${new URLSearchParams({ name: this.#name })}`, {
      method: 'POST',
      headers: { ...this.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'SEND', send: { evt: JSON.stringify({ event, data }) } }),
      signal: AbortSignal.timeout(scaled(10_000)),
    })
    return status
  }

  /** Calls a function each time that the stream ends. */
  onError(listener) {
    this.#source.addEventListener('error', listener)
  }

  close() {
    this.#source.close()
  }
}

/** Lets two users meet in the lobby of an example, and calls `then` with them while they are there. */
export async function meet(mount, then = async () => {}) {
  const ada = new LobbyClient(mount, 'ada')
  await ada.next('comet.ready')
  const bob = new LobbyClient(mount, 'bob')
  try {
    await bob.next('comet.ready')
    equal(await ada.send('say', { text: 'hello' }), 204)
    equal(await bob.send('say', { text: '' }), 400)
    equal(await bob.send('shout', { text: 'hello' }), 400)
    for (const each of [ada, bob]) deepEqual(await each.next('said'), { name: 'ada', text: 'hello' })
    await then(ada, bob)
  } finally {
    ada.close()
    bob.close()
  }
}

/** Waits until a condition holds. */
export async function until(holds, what, patience = scaled(20_000)) {
  const end = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(typeof what === 'function' ? what() : what)
    await sleep(20)
  }
}
