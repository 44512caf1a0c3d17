import { openEventSource, type Ready } from './clients.ts'
import { Inbox, scaled } from './inbox.ts'

/** A named event, as the examples publish it. */
export interface Received {
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  readonly data: any
}

/** The client that a page of an example is: a plain EventSource, and packets in POST requests. */
export type Listener = Awaited<ReturnType<typeof listenTo>>

/** Listens for the events of these names, and for those without a name. Settles once the stream has begun. */
export async function listenTo(address: string, names: readonly string[]) {
  const { source, next, close } = openEventSource(address)
  const inbox = new Inbox<Received>()
  for (const name of ['message', ...names]) {
    source.addEventListener(name, ({ type, data }) => inbox.push({ event: type, data: JSON.parse(data) }))
  }
  const { sid } = JSON.parse((await next('comet.ready')).data) as Ready
  return {
    /** All events so far. */
    received: inbox.all as readonly Received[],
    /** The next event that fits. Patient enough for a grace of five seconds to end. */
    until: (fits: (received: Received) => boolean) => inbox.next(fits, 'such event', scaled(15_000)),
    /** Sends a packet. @returns the status of the answer */
    post: async (packet: object): Promise<number> => {
      const url = new URL(address)
      url.pathname += `/${sid}`
      const headers = { 'Content-Type': 'application/json' }
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(packet) })).status
    },
    close,
  }
}

/** Tells whether an event is about a person. */
export function is(event: string, name: string): (received: Received) => boolean {
  return (received) => received.event === event && received.data.name === name
}

/** The people that events of these names were about. */
export function namesOf({ received }: Listener, ...events: string[]): string[] {
  return received.filter(({ event }) => events.includes(event)).map(({ data }) => data.name)
}

/** The texts of messages and notifications. */
export function textsOf({ received }: Listener): string[] {
  return received.flatMap(({ data }) => (typeof data.text === 'string' ? [data.text] : []))
}
