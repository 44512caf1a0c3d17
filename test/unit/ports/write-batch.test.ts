import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WriteBatch } from '../../../lib/ports/write-batch.ts'

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
})
