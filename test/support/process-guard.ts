import assert from 'node:assert/strict'

/**
 * Imported by tests of what must never crash an app. A rejected promise that nobody handles would end the process of
 * an app. Here it fails the test in which it is seen, while mocha alone would let it pass.
 */
const unhandled = new Set<unknown>()
process.on('unhandledRejection', (reason) => unhandled.add(reason))

afterEach('no unhandled rejection', async () => {
  // Node reports rejections after the microtasks.
  await new Promise((resolve) => setImmediate(resolve))
  const seen = Array.from(unhandled)
  unhandled.clear()
  assert.deepEqual(seen, [])
})
