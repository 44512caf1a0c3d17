import { debuglog } from 'node:util'

/**
 * Prints one line to stderr with `NODE_DEBUG=comet`, formatted as `console.log` does: for each session that is opened
 * or closed, each request, session or packet that is refused, each gap, and each command to another node that fails.
 * Without it, costs almost nothing: the line is formatted only when it is printed.
 *
 * Use `%j` for what a client may have written, so that it cannot break the line.
 */
export const debug: (format: string, ...values: unknown[]) => void = debuglog('comet')
