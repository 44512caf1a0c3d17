import assert from 'node:assert/strict'
import { ServerResponse } from 'node:http'
import type { Comet } from '../../lib/index.ts'

/** Events of every kind: what must be escaped, split or framed, what is large, and a burst. */
const EVENTS = ['one', 'smörgåsbord 🙂', 'two\nlines\n', '', 'x'.repeat(100_000), ...Array(20).fill('burst')]

/** Publishes events of every kind to alice, whose stream must get them in order. */
export async function deliver(
  comet: Comet,
  stream: { next(event: string): Promise<{ readonly data: string }> },
): Promise<void> {
  for (const evt of EVENTS) comet.publish({ uid: 'alice', evt })
  for (const evt of EVENTS) assert.equal((await stream.next('message')).data, evt)
}

/**
 * Counts the writes that go through a response of HTTP/1, during `act`. The prototype's own method is replaced: a
 * response with a `write` of its own is another thing.
 */
export async function countWrites(act: () => Promise<void>): Promise<number> {
  const { write } = ServerResponse.prototype
  let count = 0
  function counted(this: ServerResponse, ...args: Parameters<typeof write>) {
    count += 1
    return write.apply(this, args)
  }
  ServerResponse.prototype.write = counted as typeof write
  try {
    await act()
  } finally {
    ServerResponse.prototype.write = write
  }
  return count
}
