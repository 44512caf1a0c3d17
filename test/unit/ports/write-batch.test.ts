import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LARGE_BYTES, WriteBatch } from '../../../lib/ports/write-batch.ts'

describe('WriteBatch', () => {
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 })

  it('joins its frames as bytes and as one chunk, each made once', () => {
    fc.assert(
      fc.property(frames, (parts) => {
        const batch = new WriteBatch(parts.map((part) => Buffer.from(part)))
        const joined = Buffer.concat(parts)
        assert.equal(batch.length, joined.length)
        assert.ok(batch.bytes.equals(joined))
        const [size = '', ...rest] = batch.chunk.toString('latin1').split('\r\n')
        assert.equal(Number.parseInt(size, 16), joined.length)
        assert.equal(rest.join('\r\n'), `${joined.toString('latin1')}\r\n`)
        assert.equal(batch.bytes, batch.bytes)
        assert.equal(batch.chunk, batch.chunk)
      }),
    )
  })

  it('uses a single frame without a copy', () => {
    const frame = Buffer.from('a')
    assert.equal(new WriteBatch([frame]).bytes, frame)
  })

  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60_000 })), {
    minLength: 1,
    maxLength: 40,
  })

  it('is written in parts that join small frames up to a bound, and share each large one', () => {
    fc.assert(
      fc.property(sizes, (all) => {
        const frames: Buffer[] = all.map((size, index) => Buffer.alloc(size, index))
        const batch = new WriteBatch(frames)
        const { parts } = batch
        assert.ok(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(Buffer.concat(frames)))
        assert.equal(batch.parts, parts)
        const shared = new Set<Buffer>(parts.map(({ bytes }) => bytes))
        for (const frame of frames) assert.ok(frame.length < LARGE_BYTES || shared.has(frame))
        for (const { bytes } of parts) assert.ok(frames.includes(bytes) || bytes.length <= 81_920)
        if (batch.length < LARGE_BYTES) assert.deepEqual(parts, [batch])
        for (const part of parts) {
          const chunk = Buffer.concat(part.chunkPieces)
          assert.ok(chunk.equals(part.chunk))
        }
      }),
    )
  })

  it('stores what was joined for several sessions, however large it is', () => {
    const batch = new WriteBatch([Buffer.alloc(10_000), Buffer.alloc(10_000)])
    assert.notEqual(batch.chunk, batch.chunk)
    assert.equal(batch.chunk, batch.chunk)
    assert.equal(batch.bytes, batch.bytes)
  })
})
