import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { HistoryHeap } from '../../support/history-heap.ts'
import { scaled } from '../../support/inbox.ts'
import { figure, sampled } from '../../support/tier.ts'

const HEAP = fileURLToPath(new URL('../../support/history-heap.ts', import.meta.url))
/** The bound of a history. */
const MIB = sampled(16, 4)

describe(`History with a bound of ${MIB} MiB`, function () {
  this.timeout(scaled(60_000))

  it('keeps within its bound, and so does the heap, for every kind of load', async () => {
    const args = ['--import', 'tsx', '--expose-gc', HEAP, String(MIB)]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args)
    assert.equal(stderr, '')
    for (const { name, bound, bytes, held, targets } of JSON.parse(stdout) as HistoryHeap[]) {
      figure(name, `${targets} targets, ${bytes} bytes accounted, ${held} held`)
      assert.ok(bytes <= bound, name)
      assert.ok(bytes > bound * 0.9, name)
      assert.ok(held <= bytes * 1.3 + 1_000_000, `${name}: ${held} held, ${bytes} accounted`)
    }
  })
})
