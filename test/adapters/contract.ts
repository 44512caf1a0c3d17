import assert from 'node:assert/strict'
import { type Adapter, type AppOptions, startApp, type TestApp } from '../support/apps.ts'
import { answers } from './contract/answers.ts'
import { bodies } from './contract/bodies.ts'
import { clientScript } from './contract/client-script.ts'
import { closing } from './contract/closing.ts'
import { departures } from './contract/departures.ts'
import { http2Streams } from './contract/http2-streams.ts'
import { identifying } from './contract/identifying.ts'
import { middlewares } from './contract/middlewares.ts'
import { mount } from './contract/mount.ts'
import { ownAnswers } from './contract/own-answers.ts'
import { streams } from './contract/streams.ts'

const parts = [
  mount,
  identifying,
  answers,
  bodies,
  streams,
  http2Streams,
  departures,
  ownAnswers,
  clientScript,
  middlewares,
  closing,
] as const

/**
 * The promises that every adapter keeps, each asked once: all that can depend on a framework, its versions or the
 * transport. What cannot is asked in `test/http`, of node:http alone.
 */
export function httpContract(adapter: Adapter): void {
  describe(`httpContract: ${adapter.name}`, () => {
    const apps: TestApp[] = []
    const start = async (options?: AppOptions) => {
      const app = await startApp(adapter, options)
      apps.push(app)
      return app
    }
    afterEach(async () => {
      const started = apps.splice(0)
      for (const app of started) await app.close()
      for (const { errors, failures } of started) assert.deepEqual([errors, failures], [[], []])
    })
    for (const part of parts) part({ adapter, start })
  })
}
