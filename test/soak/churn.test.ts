import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { adapters } from '../support/apps.ts'
import type { Churned } from '../support/churn-app.ts'
import { scaled, within } from '../support/inbox.ts'

const APP = fileURLToPath(new URL('../support/churn-app.ts', import.meta.url))
const CLIENTS = 1_000
const PATIENCE_MS = scaled(30_000)

for (const adapter of adapters) {
  describe(`${CLIENTS} clients, half of them cut off while they connect, behind ${adapter.name}`, function () {
    this.timeout(PATIENCE_MS + 5_000)

    let child: ChildProcess
    let churned: Churned
    let code: unknown
    let stderr = ''

    before(async () => {
      child = spawn(process.execPath, ['--import', 'tsx', APP, adapter.name, String(CLIENTS)])
      let stdout = ''
      child.stdout?.on('data', (piece) => {
        stdout += piece
      })
      child.stderr?.on('data', (piece) => {
        stderr += piece
      })
      ;[code] = await within(once(child, 'close'), 'the process', PATIENCE_MS)
      assert.notEqual(stdout, '', stderr)
      churned = JSON.parse(stdout)
    })
    after(() => {
      if (child.exitCode === null) child.kill('SIGKILL')
    })

    it('are connected and get what is published when they stay', () => {
      const { connected, sessions, heard } = churned.stayed
      assert.deepEqual([connected, sessions, heard], [CLIENTS / 2, CLIENTS / 2, CLIENTS / 2])
    })

    it('leave no session, user, room or connection behind', () => {
      assert.deepEqual(churned.left, { sessions: 0, users: 0, rooms: 0, sockets: 0 })
    })

    it('leave no listener behind', () => {
      assert.equal(churned.listeners, 0)
    })

    it('leave no user online', () => {
      assert.equal(churned.ghosts, 0)
    })

    it('cause no error and no warning', () => {
      assert.deepEqual([churned.errors, churned.warnings, stderr], [[], [], ''])
    })

    it('let the process end by itself after Comet.close', () => {
      assert.equal(code, 0)
    })
  })
}
