import { debuglog } from 'node:util'

/**
 * Prints one line to stderr with `NODE_DEBUG=comet`, formatted as `console.log` does: for each session that is opened,
 * closed or refused, each gap, each packet that is refused and each command to another node that fails. Costs nothing
 * else: the text is put together only when it is printed.
 *
 * Use `%j` for what a client may have written, so that it cannot break the line.
 */
export const debug: (format: string, ...values: unknown[]) => void = debuglog('comet')
