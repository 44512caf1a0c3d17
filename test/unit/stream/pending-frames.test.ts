import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PendingFrames } from '../../../lib/stream/pending-frames.ts'
import { runs } from '../../support/tier.ts'

describe('PendingFrames', () => {
  const a = Buffer.from('a')
  const b = Buffer.from('b')

  it('is empty at first', () => {
    assert.equal(PendingFrames.empty().batch()?.bytes, undefined)
  })

  it('returns a single frame without a copy', () => {
    assert.equal(PendingFrames.empty().with(a).batch()?.bytes, a)
  })

  it('joins frames in their order', () => {
    const root = PendingFrames.empty()
    assert.equal(root.with(a).with(b).with(a).batch()?.bytes.toString(), 'aba')
    assert.equal(root.with(b).with(a).batch()?.bytes.toString(), 'ba')
  })

  it('accepts the same frame several times in a row', () => {
    assert.equal(PendingFrames.empty().with(a).with(a).with(a).batch()?.bytes.toString(), 'aaa')
  })

  it('joins a sequence once for all sessions', () => {
    const root = PendingFrames.empty()
    const first = root.with(a).with(b)
    const bytes = first.batch()?.bytes
    assert.equal(first.batch()?.bytes, bytes)
    assert.equal(root.with(a).with(b).batch()?.bytes, bytes)
  })

  it('does not change when others continue from it', () => {
    const some = PendingFrames.empty().with(a)
    const more = some.with(b)
    assert.equal(more.batch()?.bytes.toString(), 'ab')
    assert.equal(some.batch()?.bytes, a)
    assert.equal(some.with(b), more)
  })

  // Frames with the same content may be two events, and a check would have to compare all bytes.
  it('distinguishes frames by identity, not by content', () => {
    const root = PendingFrames.empty()
    const twin = Buffer.from('a')
    assert.notEqual(root.with(a), root.with(twin))
    assert.equal(root.with(twin).batch()?.bytes, twin)
  })

  it('shares nothing between turns', () => {
    const first = PendingFrames.empty().with(a).with(b)
    const second = PendingFrames.empty().with(a).with(b)
    assert.notEqual(first, second)
    assert.notEqual(first.batch()?.bytes, second.batch()?.bytes)
    assert.deepEqual(first.batch()?.bytes, second.batch()?.bytes)
  })

  it('holds very many frames', () => {
    const frames = Array.from({ length: 100_000 }, (_, index) => Buffer.from(`${index},`))
    let pending = PendingFrames.empty()
    for (const frame of frames) pending = pending.with(frame)
    assert.ok(pending.batch()?.bytes.equals(Buffer.concat(frames)))
  })

  it('gives every session its frames, and one Buffer to sessions with the same sequence', () => {
    const SESSIONS = 5
    const FRAMES = Array.from({ length: 4 }, (_, index) => Buffer.from(`<${'x'.repeat(index)}${index}>`))
    // Each step adds one frame to some of the sessions. Some sessions are flushed early, and so join twice.
    const recipients = fc.uniqueArray(fc.nat({ max: SESSIONS - 1 }), { minLength: 1 })
    const step = fc.record({ frame: fc.constantFrom(...FRAMES), recipients, ask: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const root = PendingFrames.empty()
        const sessions = Array.from({ length: SESSIONS }, () => ({ pending: root, frames: [] as Buffer[] }))
        const check = () => {
          const buffers = new Map<string, Buffer | undefined>()
          for (const { pending, frames } of sessions) {
            const bytes = pending.batch()?.bytes
            if (frames.length === 0) assert.equal(bytes, undefined)
            else assert.deepEqual(bytes, Buffer.concat(frames))
            // The frames differ in content, so equal bytes mean the same sequence.
            const sequence = Buffer.concat(frames).toString()
            if (buffers.has(sequence)) assert.equal(bytes, buffers.get(sequence))
            buffers.set(sequence, bytes)
          }
        }
        for (const { frame, recipients, ask } of steps) {
          for (const recipient of recipients) {
            const session = sessions[recipient]
            assert.ok(session)
            session.pending = session.pending.with(frame)
            session.frames.push(frame)
          }
          if (ask) check()
        }
        check()
      }),
      runs(1_000),
    )
  })
})
