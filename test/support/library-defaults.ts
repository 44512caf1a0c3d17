import { createRequire } from 'node:module'
import { EventSource } from 'eventsource'

/** Opens a stream with a library with nothing set, except that it waits a shorter time. @returns ends it */
export type OpenByDefault = (url: string) => () => void

type EventSourceClass = new (url: string, options?: object) => { close(): void; onerror: unknown }

// The older majors have no types under their alias, and the types of others need DOM's.
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

/** The libraries of other authors by name, each with its defaults. */
export const defaults: Readonly<Record<string, OpenByDefault>> = {
  '`eventsource` 2': byClass(EventSource2),
  '`eventsource` 3': byClass(EventSource3),
  '`eventsource` 4': byClass(EventSource as unknown as EventSourceClass),
  '`extended-eventsource` 2': byClass(extended.EventSource, { disableLogger: true, retry: 500 }),
  '`eventsource-client` 1': (url) => {
    const client = createEventSource({ url })
    return () => client.close()
  },
  '`@microsoft/fetch-event-source` 2': byFetch({}),
}

/** Throws at the end of a stream, as `docs/guides/page.md` says. */
export const fetchThatComesBack = byFetch({
  onclose: () => {
    throw new Error('The stream ended.')
  },
})

function byClass(Class: EventSourceClass, options?: object): OpenByDefault {
  return (url) => {
    const source = new Class(url, options)
    // Without a listener the class of version 2 throws its errors.
    source.onerror = () => {}
    return () => source.close()
  }
}

/** It is made for pages, and takes these globals from one. */
function byFetch(options: object): OpenByDefault {
  return (url) => {
    const ignore = () => {}
    const document = { hidden: false, addEventListener: ignore, removeEventListener: ignore }
    Object.assign(globalThis, { window: { setTimeout, clearTimeout, fetch }, document })
    const controller = new AbortController()
    fetchEventSource(url, { signal: controller.signal, ...options }).catch(ignore)
    return () => controller.abort()
  }
}
