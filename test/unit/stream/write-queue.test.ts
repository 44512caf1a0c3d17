import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WriteBatch } from '../../../lib/ports/write-batch.ts'
import { WriteQueue } from '../../../lib/stream/write-queue.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

/** A transport that takes `room` writes before it asks for a pause. */
class Narrow extends MemoryTransport {
  room = 0

  override write(batch: WriteBatch): boolean {
    assert.ok(!this.held, 'written while held back')
    super.write(batch)
    this.room -= 1
    return this.room >= 0
  }

  get held(): boolean {
    return this.room < 0
  }
}

const batch = (text: string) => new WriteBatch([Buffer.from(text)])

describe('WriteQueue', () => {
  it('hands over everything in order, and nothing while the transport holds back', () => {
    const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat(3)), { maxLength: 100 })
    fc.assert(
      fc.property(steps, (all) => {
        const transport = new Narrow()
        const writeQueue = new WriteQueue()
        let added = 0
        const drain = (room: number) => {
          transport.room = room
          assert.equal(writeQueue.drain(transport), !transport.held)
        }
        for (const step of all) {
          if (step === 'add') {
            writeQueue.add(batch(`${added};`))
            added += 1
          } else drain(step)
        }
        drain(added)
        assert.equal(transport.text, Array.from({ length: added }, (_, index) => `${index};`).join(''))
        assert.equal(writeQueue.excess, 0)
      }),
    )
  })

  it('counts the bytes that wait, without the batch behind the write in progress', () => {
    const transport = new Narrow()
    const writeQueue = new WriteQueue()
    const excess: number[] = []
    for (const size of [500, 20, 3]) {
      writeQueue.add(batch('x'.repeat(size)))
      excess.push(writeQueue.excess)
    }
    writeQueue.drain(transport)
    excess.push(writeQueue.excess)
    assert.deepEqual(excess, [0, 20, 23, 3])
  })
})
