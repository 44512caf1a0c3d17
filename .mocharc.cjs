const { COMET_TEST_PATIENCE, COMET_SOAK } = process.env

module.exports = {
  'node-option': ['import=tsx'],
  require: ['./test/support/coverage.ts', './test/support/leftovers.ts', './test/support/seed.ts'],
  // More than any wait in a test, which says what it waited for (test/support/inbox.ts).
  timeout: 10_000 * Number(COMET_TEST_PATIENCE || 1) * (COMET_SOAK === '1' ? 60 : 1),
  'forbid-only': true,
}
