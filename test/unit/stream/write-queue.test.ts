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

  it('exceeds its bounds by bytes, and by the number of batches however small they are', () => {
    const writeQueue = new WriteQueue()
    for (let index = 0; index < 4_096; index += 1) writeQueue.add(batch('x'))
    assert.deepEqual([writeQueue.exceeds(4_094), writeQueue.exceeds(4_095)], [true, false])
    writeQueue.add(batch('x'))
    assert.equal(writeQueue.exceeds(1_000_000), true)
  })

  it('holds no memory but that of its frames, however many others were made between them', () => {
    const writeQueue = new WriteQueue()
    const batches: WriteBatch[] = []
    for (let index = 0; index < 1_000; index += 1) {
      const frames = Array.from({ length: 1 + (index % 3) }, (_, at) => Buffer.from(`${index}.${at};`))
      // Frames of other sessions fill the rest of the page that Node.js takes small Buffers from.
      for (let other = 0; other < 100; other += 1) Buffer.from('x'.repeat(100))
      const one = new WriteBatch(frames)
      // Sessions that read on are sent the same batch, before or after it has to wait for one that does not.
      if (index % 3 === 0) assert.ok(one.chunk.length > one.length)
      writeQueue.add(one)
      batches.push(one)
    }
    const held = new Set(batches.flatMap(({ bytes, chunk }) => [bytes.buffer, chunk.buffer]))
    const heldBytes = Array.from(held).reduce((sum, { byteLength }) => sum + byteLength, 0)
    assert.equal(
      heldBytes,
      batches.reduce((sum, { length, chunk }) => sum + length + chunk.length, 0),
    )
    const transport = new Narrow()
    transport.room = 2_000
    writeQueue.drain(transport)
    assert.ok(transport.text.startsWith('0.0;1.0;1.1;2.0;2.1;2.2;3.0;'))
  })
})
