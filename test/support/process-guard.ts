import assert from 'node:assert/strict'

/**
 * Imported by tests of what must never crash a host: a promise that rejects and that nobody handles, which would
 * end a host's process, fails the test in which it is seen. Mocha lets it pass.
 */
const unhandled = new Set<unknown>()
process.on('unhandledRejection', (reason) => unhandled.add(reason))

afterEach('no unhandled rejection', async () => {
  // Node tells of rejections once the microtasks are done with.
  await new Promise((resolve) => setImmediate(resolve))
  const seen = Array.from(unhandled)
  unhandled.clear()
  assert.deepEqual(seen, [])
})
