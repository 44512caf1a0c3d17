/**
 * Required by mocha: what tests reach is measured in their own process only. A child that loads the same files gets
 * them from tsx as modules instead of CommonJS, and what V8 says about the two does not add up.
 */
delete process.env.NODE_V8_COVERAGE

export {}
