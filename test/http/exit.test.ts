import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, postPacket } from '../support/clients.ts'
import { adapters } from '../support/http.ts'
import { within } from '../support/inbox.ts'

const HOST = fileURLToPath(new URL('../support/exit-host.ts', import.meta.url))

for (const adapter of adapters) {
  describe(`A process with open streams behind ${adapter.name}`, () => {
    let child: ChildProcess

    after(() => {
      if (child.exitCode === null) child.kill('SIGKILL')
    })

    it('ends by itself once it has closed its Comet and its server: no timer, no connection holds it', async () => {
      child = spawn(process.execPath, ['--import', 'tsx', HOST, adapter.name])
      let stderr = ''
      child.stderr?.on('data', (piece) => {
        stderr += piece
      })
      const exited = once(child, 'exit')
      const [port] = await once(child.stdout as NodeJS.ReadableStream, 'data')
      const target = { url: `http://127.0.0.1:${port}/comet`, http2: adapter.http2 }
      const stays = await connect(target, 'alice')
      const leaves = await connect(target, 'bob')
      await postPacket(target, 'alice', stays.sid, { type: 'HB' })
      leaves.destroy()
      child.kill('SIGTERM')
      const [code, signal] = await within(exited, 'the end of the process', 4_000)
      assert.deepEqual([code, signal, stderr], [0, null, ''])
      assert.equal((await stays.next()).event, 'comet.close')
      assert.equal(await stays.ended, true)
    })
  })
}
