import assert from 'node:assert/strict'
import { DisconnectLog } from '../../../lib/session/disconnect-log.ts'

describe('DisconnectLog', () => {
  it('know the latest disconnect of a user since each watch began', () => {
    const log = new DisconnectLog()
    const first = log.watch()
    log.note('alice', { reason: '1' })
    const second = log.watch()
    assert.deepEqual(
      [first.disconnected('alice'), second.disconnected('alice')],
      [{ reason: '1' }, undefined],
    )
    log.note('alice', { reason: '2' })
    assert.deepEqual(second.disconnected('alice'), { reason: '2' })
    assert.equal(first.disconnected('bob'), undefined)
  })

  it('forget a disconnect once no older watch is open', () => {
    const log = new DisconnectLog()
    const [first, second] = [log.watch(), log.watch()]
    log.note('alice', {})
    const third = log.watch()
    log.note('bob', {})
    second.end()
    assert.deepEqual(first.disconnected('alice'), {})
    first.end()
    assert.equal(second.disconnected('alice'), undefined)
    assert.deepEqual(third.disconnected('bob'), {})
    third.end()
    assert.equal(third.disconnected('bob'), undefined)
    log.note('carol', {})
    assert.equal(third.disconnected('carol'), undefined)
  })
})
