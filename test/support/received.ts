import type { Comet } from '../../lib/index.ts'
import type { Block, Ready, Stream } from './clients.ts'

const LAST = 'that is all'

/** The published events that a stream got so far, in order. */
export async function receivedBy(
  { comet }: { readonly comet: Comet },
  stream: Stream & { readonly ready: Ready },
): Promise<string[]> {
  await comet.publish({ uid: stream.ready.uid, evt: LAST }, { transient: true })
  let block: Block
  do block = await stream.next('message')
  while (block.data !== LAST)
  return publishedOf(stream).map(({ data }) => data)
}

/** The `id:` of each of them. */
export function idsOf(stream: Stream): (string | undefined)[] {
  return publishedOf(stream).map(({ id }) => id)
}

function publishedOf({ blocks }: Stream): Block[] {
  return blocks.filter(({ event, data }) => event === 'message' && data !== LAST)
}
