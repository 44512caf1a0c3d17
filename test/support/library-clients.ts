import { createRequire } from 'node:module'
import { EventSource } from 'eventsource'
import { EVENT_NAMES, type OpenClient, type Seen } from './cut-trials.ts'

/** A client library for Node.js. */
export interface Library {
  readonly name: string
  readonly open: OpenClient
  /** Whether it takes an `id:` when it reads its line, and not with the event, as the standard says. */
  readonly takesIdByLine: boolean
  /** Whether it dispatches blocks that have no data, which the standard forbids. */
  readonly dispatchesEmpty: boolean
}

/** What the classes of these libraries have in common with that of browsers. */
interface EventSourceLike {
  addEventListener(type: string, listener: (event: Seen) => void): void
  close(): void
}
type EventSourceClass = new (url: string, options?: object) => EventSourceLike

// For the older majors, which are installed under an alias, there are no types. The types of the others need DOM's.
const require = createRequire(import.meta.url)
const EventSource2 = require('eventsource2') as EventSourceClass
const { EventSource: EventSource3 } = require('eventsource3') as { EventSource: EventSourceClass }
const extended = require('extended-eventsource') as { EventSource: EventSourceClass }
const { createEventSource } = require('eventsource-client') as {
  createEventSource(options: object): { close(): void }
}
const { fetchEventSource } = require('@microsoft/fetch-event-source') as {
  fetchEventSource(url: string, options: object): Promise<void>
}

/** A message of the libraries that do not dispatch events. Without a name `event` is empty or undefined. */
interface Message {
  readonly event?: string
  readonly data: string
}

export const libraries: readonly Library[] = [
  library('eventsource 2', byClass(EventSource2), { takesIdByLine: true }),
  library('eventsource 3', byClass(EventSource3)),
  library('eventsource 4', byClass(EventSource as EventSourceClass)),
  library('@microsoft/fetch-event-source', openFetchEventSource, {
    takesIdByLine: true,
    dispatchesEmpty: true,
  }),
  library('extended-eventsource', byClass(extended.EventSource, { disableLogger: true, retry: 1_000 }), {
    takesIdByLine: true,
    dispatchesEmpty: true,
  }),
  library('eventsource-client', (url, report) => {
    const onMessage = ({ event, data }: Message) => report({ type: event || 'message', data })
    const client = createEventSource({ url, onMessage })
    return () => client.close()
  }),
]

function library(
  name: string,
  open: OpenClient,
  { takesIdByLine = false, dispatchesEmpty = false }: Partial<Library> = {},
): Library {
  return { name, open, takesIdByLine, dispatchesEmpty }
}

function byClass(Class: EventSourceClass, options?: object): OpenClient {
  return (url, report) => {
    const source = new Class(url, options)
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, ({ type, data }) => report({ type, data }))
    }
    // The class of version 2 is an EventEmitter, which throws errors that nobody listens to.
    source.addEventListener('error', () => {})
    return () => source.close()
  }
}

/** Made for pages, it uses these globals of a browser. */
function openFetchEventSource(url: string, report: (seen: Seen) => void): () => Promise<void> {
  const ignore = () => {}
  const document = { hidden: false, addEventListener: ignore, removeEventListener: ignore }
  Object.assign(globalThis, { window: { setTimeout, clearTimeout }, document })
  const controller = new AbortController()
  const over = fetchEventSource(url, {
    fetch,
    signal: controller.signal,
    openWhenHidden: true,
    onmessage: ({ event, data }: Message) => report({ type: event || 'message', data }),
    // By itself it does not come back after a clean end.
    onclose: () => {
      throw new Error('The stream ended.')
    },
    onerror: ignore,
  })
  return async () => {
    controller.abort()
    await over
  }
}
