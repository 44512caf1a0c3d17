module.exports = {
  'node-option': ['import=tsx'],
  require: ['./test/support/coverage.ts'],
  // More than any wait in a test, which says what it waited for (test/support/inbox.ts).
  timeout: 10_000 * Number(process.env.COMET_TEST_PATIENCE || 1),
  'forbid-only': true,
}
