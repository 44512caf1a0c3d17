import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { adapters } from '../support/apps.ts'
import { connect, postPacket } from '../support/clients.ts'
import { scaled, within } from '../support/inbox.ts'

/** To start a process takes a while on a busy machine. */
const START_MS = scaled(20_000)

const APP = fileURLToPath(new URL('../support/exit-app.ts', import.meta.url))

describe('A process with open streams of every adapter', function () {
  this.timeout(2 * START_MS)

  let child: ChildProcess

  after(() => {
    if (child.exitCode === null) child.kill('SIGKILL')
  })

  it('ends by itself once each Comet and each server is closed: no timer and no connection keeps it', async () => {
    child = spawn(process.execPath, ['--import', 'tsx', APP])
    let stderr = ''
    child.stderr?.on('data', (piece) => {
      stderr += piece
    })
    const exited = once(child, 'exit')
    const [ports] = await within(once(child.stdout as NodeJS.ReadableStream, 'data'), 'the ports', START_MS)
    const streams = []
    for (const { name, http2 } of adapters) {
      const app = { url: `http://127.0.0.1:${JSON.parse(ports)[name]}/comet`, http2 }
      const stays = await connect(app, 'alice')
      const leaves = await connect(app, 'bob')
      assert.equal((await postPacket(app, 'alice', stays.sid, { type: 'HB' })).status, 204)
      leaves.destroy()
      streams.push(stays)
    }
    child.kill('SIGTERM')
    const [code, signal] = await within(exited, 'the end of the process')
    assert.deepEqual([code, signal, stderr], [0, null, ''])
    for (const { next, ended } of streams) {
      assert.equal((await next()).event, 'comet.close')
      assert.equal(await ended, true)
    }
  })
})
