import assert from 'node:assert/strict'
import { issuerOf, newNodeId, newSid } from '../../lib/ids.ts'

describe('newSid', () => {
  it('makes an id that names its node', () => {
    for (let round = 0; round < 200; round += 1) {
      const node = newNodeId()
      assert.equal(issuerOf(newSid(node)), node)
    }
  })

  it('never makes the same id twice, and neither does newNodeId', () => {
    const node = newNodeId()
    assert.equal(new Set(Array.from({ length: 1_000 }, () => newSid(node))).size, 1_000)
    assert.equal(new Set(Array.from({ length: 1_000 }, newNodeId)).size, 1_000)
  })

  it('makes an id that needs no escaping in a URL', () => {
    const sid = newSid(newNodeId())
    assert.equal(encodeURIComponent(sid), sid)
  })

  it('makes the only texts in which issuerOf finds a node', () => {
    const sid = newSid(newNodeId())
    const others = [
      '',
      '.',
      'a.b',
      sid.slice(1),
      sid.slice(0, -1),
      `${sid}x`,
      `${sid}\n`,
      ` ${sid}`,
      `${sid}.x`,
    ]
    for (const text of [...others, sid.replace('.', '/'), sid.replace('.', '')]) {
      assert.equal(issuerOf(text), undefined)
    }
  })
})
