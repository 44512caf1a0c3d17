import type { Adapter, AppOptions, TestApp } from '../../support/apps.ts'

/** What a part of the contract is given. */
export interface Contract {
  readonly adapter: Adapter
  /** Starts the app of a test. It is closed after the test, and no error may be left in it then. */
  start(options?: AppOptions): Promise<TestApp>
}
