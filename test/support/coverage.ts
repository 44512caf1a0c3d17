/**
 * Required by mocha. Coverage is measured in the process of the tests only: a child process that loads the same files
 * gets them from tsx as modules instead of CommonJS, and V8's results for the two do not add up.
 */
delete process.env.NODE_V8_COVERAGE

export {}
