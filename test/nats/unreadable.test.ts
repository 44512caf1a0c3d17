import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { Unreadable } from '../../adapters/nats/unreadable.ts'

const BEGIN = 'Messages of NATS could not be read as they are. '

describe('Unreadable', () => {
  let clock: FakeTimers.Clock
  let reports: string[]
  let unreadable: Unreadable
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
    reports = []
    unreadable = new Unreadable((error) => {
      assert.equal(error.name, 'CometError')
      assert.ok(error.message.startsWith(BEGIN))
      reports.push(error.message.slice(BEGIN.length))
    })
  })
  afterEach(() => {
    unreadable.close()
    clock.uninstall()
  })

  it('reports the first message at once', () => {
    unreadable.count('a', 'Body must be base64.')
    assert.deepEqual(reports, ['1 on a: Body must be base64.'])
  })

  it('reports what comes after it once a minute, with the count of each problem', () => {
    unreadable.count('a', 'One.')
    for (let count = 0; count < 1_000; count += 1) unreadable.count('a', 'One.')
    unreadable.count('a', 'Two.')
    unreadable.count('b', 'One.')
    clock.tick(59_999)
    assert.deepEqual(reports.splice(0), ['1 on a: One.'])
    clock.tick(1)
    assert.deepEqual(reports.splice(0), ['1000 on a: One. 1 on a: Two. 1 on b: One.'])
    unreadable.count('a', 'Two.')
    clock.tick(59_999)
    assert.deepEqual(reports, [])
    clock.tick(1)
    assert.deepEqual(reports, ['1 on a: Two.'])
  })

  it('reports nothing in a minute without any, and the next one at once after it', () => {
    unreadable.count('a', 'One.')
    clock.tick(60_000)
    assert.equal(clock.countTimers(), 0)
    assert.equal(reports.length, 1)
    clock.tick(1_000)
    unreadable.count('a', 'One.')
    assert.equal(reports.length, 2)
  })

  it('goes on when a report makes another message be counted', () => {
    const again = new Unreadable(() => {
      calls += 1
      if (calls < 5) again.count('a', 'One.')
    })
    let calls = 0
    again.count('a', 'One.')
    assert.equal(calls, 1)
    clock.tick(60_000)
    assert.equal(calls, 2)
    again.close()
  })

  it('reports nothing once it is closed, neither what it has counted nor what comes', () => {
    unreadable.count('a', 'One.')
    unreadable.count('a', 'One.')
    unreadable.close()
    unreadable.count('a', 'One.')
    clock.tick(600_000)
    assert.equal(reports.length, 1)
    const unused = new Unreadable(() => assert.fail())
    unused.close()
    unused.count('a', 'One.')
    assert.equal(clock.countTimers(), 0)
  })
})
