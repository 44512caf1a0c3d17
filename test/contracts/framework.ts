/** The functions that a contract takes from a test framework, such as mocha or `node:test`. */
export interface TestFramework {
  readonly describe: (title: string, define: () => void) => unknown
  readonly it: (title: string, test: () => Promise<void>) => unknown
  readonly beforeEach: (run: () => Promise<void>) => unknown
  readonly afterEach: (run: () => Promise<void>) => unknown
}
