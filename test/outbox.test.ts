import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Outbox } from '../lib/outbox.ts'
import { MemoryTransport } from './support/memory-transport.ts'

/** Takes as many writes as it was told to before it says to hold back. */
class Narrow extends MemoryTransport {
  room = 0

  override write(bytes: Buffer): boolean {
    assert.ok(!this.held, 'written while held back')
    super.write(bytes)
    this.room -= 1
    return this.room >= 0
  }

  get held(): boolean {
    return this.room < 0
  }
}

describe('Outbox', () => {
  it('hands over everything in order, and nothing while the transport holds back', () => {
    const steps = fc.array(fc.oneof(fc.constant('write' as const), fc.nat(3)), { maxLength: 100 })
    fc.assert(
      fc.property(steps, (all) => {
        const transport = new Narrow()
        const outbox = new Outbox(transport)
        let written = 0
        const drain = (room: number) => {
          transport.room = room
          outbox.drained()
        }
        for (const step of all) {
          if (step === 'write') {
            outbox.write(Buffer.from(`${written};`))
            written += 1
          } else if (outbox.blocked) drain(step)
          assert.equal(outbox.blocked, transport.held)
        }
        while (outbox.blocked) drain(1)
        assert.equal(transport.text, Array.from({ length: written }, (_, index) => `${index};`).join(''))
        assert.equal(outbox.excess, 0)
      }),
    )
  })

  it('counts what waits, but not the write on its way, and no single batch behind it', () => {
    const transport = new Narrow()
    const outbox = new Outbox(transport)
    const excess: number[] = []
    for (const size of [1_000, 500, 20, 3]) {
      outbox.write(Buffer.alloc(size))
      excess.push(outbox.excess)
    }
    transport.room = 0
    outbox.drained()
    excess.push(outbox.excess)
    assert.deepEqual(excess, [0, 0, 20, 23, 3])
  })

  it('gives up what waits when it is cleared', () => {
    const transport = new Narrow()
    const outbox = new Outbox(transport)
    for (const text of ['a', 'b', 'c']) outbox.write(Buffer.from(text))
    outbox.clear()
    assert.equal(outbox.excess, 0)
    transport.room = 9
    outbox.drained()
    outbox.write(Buffer.from('d'))
    assert.equal(transport.text, 'ad')
  })
})
