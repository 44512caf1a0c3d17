import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { Signer } from '../../adapters/nats/signature.ts'

const signer = new Signer('secret of the namespace')
const TEXT = '{"from":"n1","n":7}'
const signed = signer.sign('Comet-Envelope', 'subject', TEXT, 'Qm9keQ==')

describe('Signer', () => {
  it('puts 132 bits of HMAC-SHA-256 over header, subject, text and body before the text', () => {
    const hmac = createHmac('sha256', createHash('sha256').update('secret of the namespace').digest('hex'))
    const signature = hmac
      .update(`Comet-Envelope\nsubject\n${TEXT}\nQm9keQ==`)
      .digest('base64url')
      .slice(0, 22)
    assert.equal(signed, `${signature} ${TEXT}`)
  })

  it('knows what it has signed, and returns the text', () => {
    assert.equal(signer.verify('Comet-Envelope', 'subject', signed, 'Qm9keQ=='), TEXT)
    const empty = signer.sign('Comet-Skip', '', '', '')
    assert.equal(signer.verify('Comet-Skip', '', empty, ''), '')
  })

  it('does not believe it with another header, subject, body or secret', () => {
    assert.equal(signer.verify('Comet-Skip', 'subject', signed, 'Qm9keQ=='), undefined)
    assert.equal(signer.verify('Comet-Envelope', 'subject2', signed, 'Qm9keQ=='), undefined)
    assert.equal(signer.verify('Comet-Envelope', 'subject', signed, 'Qm9keA=='), undefined)
    const other = new Signer('secret of another namespace')
    assert.equal(other.verify('Comet-Envelope', 'subject', signed, 'Qm9keQ=='), undefined)
  })

  it('does not believe it with anything moved from one part to the next', () => {
    const line = signer.sign('Comet-Envelope', 'subject', 'a', 'b')
    assert.equal(signer.verify('Comet-Envelope', 'subject', `${line}\nb`, ''), undefined)
    assert.equal(signer.verify('Comet-Envelope', 'subject\na', line.slice(0, 23), 'b'), undefined)
  })

  it('does not believe it with any character changed, added or left out', () => {
    for (let at = 0; at < signed.length; at += 1) {
      const [before, after] = [signed.slice(0, at), signed.slice(at + 1)]
      const changed = signed[at] === 'x' ? 'y' : 'x'
      for (const value of [
        `${before}${changed}${after}`,
        before + after,
        `${before}${changed}${signed.slice(at)}`,
      ]) {
        assert.equal(signer.verify('Comet-Envelope', 'subject', value, 'Qm9keQ=='), undefined, value)
      }
    }
  })

  it('believes no other value, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (value) => {
        assert.equal(signer.verify('Comet-Envelope', 'subject', value, 'Qm9keQ=='), undefined)
      }),
    )
  })
})
