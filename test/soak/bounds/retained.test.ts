import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scaled } from '../../support/inbox.ts'
import type { RetainedHeap } from '../../support/retained-heap.ts'
import { figure } from '../../support/tier.ts'

const HEAP = fileURLToPath(new URL('../../support/retained-heap.ts', import.meta.url))

/** Heaps differ by some hundred KiB. The documents of each load have 30 MB. */
const NOISE = 1_000_000

describe('Comet, given texts that are parts of large documents', function () {
  this.timeout(scaled(120_000))

  it('retains the texts and not the documents, whatever keeps them', async () => {
    const args = ['--import', 'tsx', '--expose-gc', HEAP]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
    assert.equal(stderr, '')
    for (const { name, held, accounted } of JSON.parse(stdout) as RetainedHeap[]) {
      figure(name, `${accounted} bytes accounted, ${held} held`)
      assert.ok(held <= 2 * accounted + NOISE, `${name}: ${held} held, ${accounted} accounted`)
    }
  })
})
