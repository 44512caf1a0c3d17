import { openEventSource, type Ready } from './clients.ts'
import { Inbox } from './inbox.ts'

/** A Message whose data is JSON, as the examples publish it. */
export interface Heard {
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  readonly data: any
}

/** What a page of an example is to its server: a plain EventSource, and packets in POST requests. */
export type Listener = Awaited<ReturnType<typeof listenTo>>

/** Settles once the stream has begun. */
export async function listenTo(address: string) {
  const { source, next, close } = openEventSource(address)
  const inbox = new Inbox<Heard>()
  source.addEventListener('message', ({ data: text }) => {
    const { event, data } = JSON.parse(text)
    inbox.push({ event, data: JSON.parse(data) })
  })
  const { sid } = JSON.parse((await next('comet.ready')).data) as Ready
  return {
    /** All of it so far. */
    heard: inbox.all as readonly Heard[],
    /** The next thing that fits. Patient enough for a grace to run out. */
    until: (fits: (heard: Heard) => boolean) => inbox.next(fits, 'such event', 8_000),
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

/** Whether something heard is an event about a person. */
export function is(event: string, name: string): (heard: Heard) => boolean {
  return (heard) => heard.event === event && heard.data.name === name
}

/** Whom events of these names were about. */
export function namesOf({ heard }: Listener, ...events: string[]): string[] {
  return heard.filter(({ event }) => events.includes(event)).map(({ data }) => data.name)
}

/** What was written or notified. */
export function textsOf({ heard }: Listener): string[] {
  return heard.flatMap(({ data }) => (typeof data.text === 'string' ? [data.text] : []))
}
