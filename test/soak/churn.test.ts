import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { adapters } from '../support/apps.ts'
import type { Churned } from '../support/churn-app.ts'
import { scaled, within } from '../support/inbox.ts'
import { figure, sampled } from '../support/tier.ts'

const APP = fileURLToPath(new URL('../support/churn-app.ts', import.meta.url))
const CLIENTS = sampled(10_000, 100)
const PATIENCE_MS = scaled(sampled(600_000, 60_000))

describe(`Comet.connect: ${CLIENTS} clients, half of them cut off while they connect,`, function () {
  this.timeout(PATIENCE_MS + 5_000)

  let child: ChildProcess
  let results: Record<string, Churned>
  let code: unknown
  let stderr = ''

  before(async () => {
    const names = adapters.map(({ name }) => name)
    child = spawn(process.execPath, ['--import', 'tsx', APP, String(CLIENTS), ...names])
    let stdout = ''
    child.stdout?.on('data', (piece) => {
      stdout += piece
    })
    child.stderr?.on('data', (piece) => {
      stderr += piece
    })
    ;[code] = await within(once(child, 'close'), 'the process', PATIENCE_MS)
    assert.notEqual(stdout, '', stderr)
    results = JSON.parse(stdout)
  })
  after(() => {
    if (child.exitCode === null) child.kill('SIGKILL')
  })

  it('let the process end by itself', () => {
    assert.deepEqual([code, stderr], [0, ''])
  })

  for (const { name } of adapters) {
    describe(`behind ${name}`, () => {
      const churned = () => results[name] as Churned

      it('are connected and get what is published, if they stay', () => {
        const { connected, sessions, received } = churned().stayed
        figure(`of ${CLIENTS} clients behind ${name}`, `${received} stayed and received an event`)
        assert.deepEqual([connected, sessions, received], [CLIENTS / 2, CLIENTS / 2, CLIENTS / 2])
      })

      it('leave no session, user, room or connection behind', () => {
        assert.deepEqual(churned().left, { sessions: 0, users: 0, rooms: 0, sockets: 0 })
      })

      it('leave no listener behind', () => {
        assert.equal(churned().listeners, 0)
      })

      it('leave no user online', () => {
        assert.equal(churned().ghosts, 0)
      })

      it('cause no error and no warning', () => {
        assert.deepEqual([churned().errors, churned().warnings], [[], []])
      })
    })
  }
})
