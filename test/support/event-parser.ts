import { createParser } from 'eventsource-parser'

/** An event as it was received. */
export interface Block {
  /** `message` for an event without a name. */
  readonly event: string
  readonly data: string
  readonly id?: string
  readonly retry?: number
}

/** Feeds the parser of an independent library, and adds `retry:` to the event that it came with. */
export function eventParser(onEvent: (block: Block) => void): (text: string) => void {
  let retry: number | undefined
  const parser = createParser({
    onRetry: (interval) => {
      retry = interval
    },
    onEvent: ({ event = 'message', data, id }) => {
      onEvent({
        event,
        data,
        ...(id === undefined ? {} : { id }),
        ...(retry === undefined ? {} : { retry }),
      })
      retry = undefined
    },
    onError: (error) => {
      throw error
    },
  })
  return (text) => parser.feed(text)
}
