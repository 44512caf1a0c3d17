import { Socket } from 'node:net'
import { inspect } from 'node:util'

/** How long the process of the tests may take to end after the last one, in milliseconds. */
const PATIENCE = 30_000

/**
 * Required by mocha. A server, socket, child or timer that a test or Comet leaves behind keeps the process from ending,
 * for ever and without a word. Here it is named, and the run fails.
 */
export const mochaHooks = {
  afterAll(): void {
    setTimeout(() => {
      console.error(`The process did not end ${PATIENCE} ms after the last test. What holds it:`)
      for (const text of [...resources(), ...handles()]) console.error(`  ${text}`)
      process.exit(1)
    }, PATIENCE).unref()
  },
}

/** The kinds of what holds the process, such as 'Timeout'. */
function resources(): string[] {
  return process.getActiveResourcesInfo()
}

/** Handles as Node.js knows them. The method has no documentation, and nothing else tells whose socket it is. */
function handles(): string[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => object[] }
  return (_getActiveHandles?.call(process) ?? []).map((handle) => {
    if (handle instanceof Socket)
      return `Socket ${handle.localAddress}:${handle.localPort} to ${handle.remoteAddress}:${handle.remotePort}`
    return inspect(handle, { depth: 1, breakLength: Number.POSITIVE_INFINITY })
  })
}
