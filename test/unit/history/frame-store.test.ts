import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FrameStore } from '../../../lib/history/frame-store.ts'
import { runs } from '../../support/tier.ts'

/** What a slab has room for, and half of it may be of no use. Frames of up to 4 KiB are copied into slabs. */
const SLAB_BYTES = 65_536
const LARGEST_COPY = 4_096

/** A store, and what it must hold: the slots in use are the keys of a Map. */
class Modelled {
  readonly store = new FrameStore()
  readonly frames = new Map<number, Buffer>()
  /** Frames that the store handed out, each with what it was then. */
  readonly #handedOut: { readonly frame: Buffer; readonly text: string }[] = []
  readonly #free: number[] = []
  #highest = 0
  #count = 0

  put(size: number): void {
    const slot = this.#free.pop() ?? this.#highest++
    this.#count += 1
    // Of one, two, three and four bytes, and half of one of four, which UTF-8 cannot encode.
    const text = `${this.#count}:`.padEnd(size / 2, ['x', 'é', '€', '😀', '\ud83d'][size % 5])
    this.store.put(slot, this.#count % 2 === 0 ? text : Buffer.from(text))
    this.frames.set(slot, Buffer.from(text))
  }

  /** Deletes one of the frames, and keeps what the store handed out of it before. */
  delete(choice: number): void {
    const slots = Array.from(this.frames.keys())
    const slot = slots[choice % slots.length]
    if (slot === undefined) return
    const frame = this.store.get(slot)
    this.#handedOut.push({ frame, text: frame.toString() })
    this.store.delete(slot)
    this.frames.delete(slot)
    this.#free.push(slot)
  }

  check(): void {
    for (const [slot, frame] of this.frames) {
      assert.ok(this.store.get(slot).equals(frame), `slot ${slot}`)
      assert.equal(this.store.lengthOf(slot), frame.length)
    }
    for (const { frame, text } of this.#handedOut) assert.equal(frame.toString(), text)
  }

  /** The bytes of the frames, and the bytes of the memory that they lie in. */
  get bytes(): { readonly stored: number; readonly held: number } {
    const memory = new Set<ArrayBufferLike>()
    let stored = 0
    for (const [slot, frame] of this.frames) {
      memory.add(this.store.get(slot).buffer)
      stored += frame.length
    }
    let held = 0
    for (const { byteLength } of memory) held += byteLength
    return { stored, held }
  }
}

const sizes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 8, max: 400 }) },
  { weight: 4, arbitrary: fc.integer({ min: 400, max: LARGEST_COPY }) },
  { weight: 1, arbitrary: fc.integer({ min: LARGEST_COPY, max: 3 * LARGEST_COPY }) },
)

/** Puts many frames, or deletes many. */
const steps = fc.array(
  fc.oneof(
    fc.record({ put: fc.array(sizes, { minLength: 1, maxLength: 60 }) }),
    fc.record({ delete: fc.array(fc.nat(), { minLength: 1, maxLength: 80 }) }),
  ),
  { maxLength: 30 },
)

describe('FrameStore', () => {
  it('holds each frame as it was put, and changes none that it has handed out', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const modelled = new Modelled()
        for (const step of list) {
          if ('put' in step) for (const size of step.put) modelled.put(size)
          else for (const choice of step.delete) modelled.delete(choice)
        }
        modelled.check()
      }),
      runs(60),
    )
  })

  it('takes about twice the bytes of its frames at most, whichever are deleted', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 2, max: 40 }), (list, nth) => {
        const modelled = new Modelled()
        for (let index = 0; index < 1_000; index += 1) modelled.put(300)
        for (const slot of Array.from(modelled.frames.keys())) if (slot % nth > 0) modelled.delete(slot)
        for (const step of list) {
          if ('put' in step) for (const size of step.put) modelled.put(size)
          else for (const choice of step.delete) modelled.delete(choice)
          const { stored, held } = modelled.bytes
          // The slab that is written, and the end of each that no frame fitted into any more.
          const allowed = 2 * stored * (SLAB_BYTES / (SLAB_BYTES - LARGEST_COPY)) + 2 * SLAB_BYTES
          assert.ok(held <= allowed, `${held} bytes for ${stored}`)
        }
      }),
      runs(30),
    )
  })

  it('copies a frame that is a view of a larger Buffer, however large the frame is', () => {
    const store = new FrameStore()
    for (const [slot, size] of [100, 2 * LARGEST_COPY].entries()) {
      const page = Buffer.alloc(1_000_000, 'p')
      store.put(slot, page.subarray(500, 500 + size))
      page.fill('q')
      const frame = store.get(slot)
      assert.equal(frame.toString(), 'p'.repeat(size))
      assert.notEqual(frame.buffer, page.buffer)
    }
  })

  it('hands out a large frame as the same Buffer each time, so that many clients share it', () => {
    const store = new FrameStore()
    store.put(0, Buffer.alloc(2 * LARGEST_COPY, 'x'))
    assert.equal(store.get(0), store.get(0))
  })

  it('starts at the first slot again once it is cleared', () => {
    const store = new FrameStore()
    for (let round = 0; round < 3; round += 1) {
      for (let slot = 0; slot < 2_000; slot += 1) store.put(slot, Buffer.from(`${round} ${slot}`))
      assert.equal(store.get(1_999).toString(), `${round} 1999`)
      for (let slot = 0; slot < 2_000; slot += 1) store.delete(slot)
      store.clear()
    }
  })
})
