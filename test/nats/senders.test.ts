import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Arrival, Senders } from '../../adapters/nats/senders.ts'
import { runs } from '../support/tier.ts'

/** What a sender's numbers tell, one after the other. */
function noted(numbers: readonly number[], senders = new Senders()): Arrival[] {
  return numbers.map((number) => senders.note('n1', number))
}

describe('Senders', () => {
  it('take each number in its order as new, from the first one that comes', () => {
    assert.deepEqual(noted([7, 8, 9]), ['new', 'new', 'new'])
  })

  it('know what comes again, however often', () => {
    assert.deepEqual(noted([1, 2, 2, 1, 2, 3]), ['new', 'new', 'again', 'again', 'again', 'new'])
  })

  it('take what is before the first number for something that this node need not have', () => {
    assert.deepEqual(noted([7, 6, 8]), ['new', 'again', 'new'])
  })

  it('notice what is missing, once, and take it as new when it comes after all', () => {
    assert.deepEqual(noted([1, 4, 5, 2, 2, 3, 6]), [
      'new',
      'after-missing',
      'new',
      'new',
      'again',
      'new',
      'new',
    ])
  })

  it('tell senders apart', () => {
    const senders = new Senders()
    assert.equal(senders.note('a', 1), 'new')
    assert.equal(senders.note('b', 5), 'new')
    assert.equal(senders.note('a', 2), 'new')
    assert.equal(senders.note('a', 6), 'after-missing')
    assert.equal(senders.note('b', 5), 'again')
  })

  it('forgive every sender what is missing before its next event, and no more than that', () => {
    const senders = new Senders()
    senders.note('a', 1)
    senders.note('b', 1)
    senders.forgive()
    assert.equal(senders.note('a', 5), 'new')
    assert.equal(senders.note('a', 7), 'after-missing')
    assert.equal(senders.note('b', 1), 'again')
    assert.equal(senders.note('b', 9), 'new')
    // What was forgiven is not missing: it was told as lost.
    assert.equal(senders.note('a', 3), 'again')
  })

  it('remember the latest 4,096 numbers that are missing', () => {
    const senders = new Senders()
    senders.note('n1', 1)
    assert.equal(senders.note('n1', 10_000_000_000_000), 'after-missing')
    const first = 10_000_000_000_000 - 4_096
    assert.deepEqual(noted([first - 1, first, first + 4_095], senders), ['again', 'new', 'new'])
    // Two are not missing any more, so there is room for two: the third pushes out the oldest.
    assert.equal(senders.note('n1', 10_000_000_000_004), 'after-missing')
    assert.deepEqual(noted([first + 1, first + 2, 10_000_000_000_003], senders), ['again', 'new', 'new'])
  })

  it('remember 4,096 senders, and forget the one that was silent for longest', () => {
    const senders = new Senders()
    for (let node = 0; node < 4_096; node += 1) senders.note(`n${node}`, 5)
    assert.equal(senders.note('n0', 6), 'new')
    senders.note('n4096', 5)
    assert.equal(senders.note('n0', 6), 'again')
    assert.equal(senders.note('n4096', 5), 'again')
    assert.equal(senders.note('n2', 5), 'again')
    assert.equal(senders.note('n1', 5), 'new')
  })

  it('take no number twice as new, and notice every hole, in any order', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant('next' as const) },
      { weight: 2, arbitrary: fc.constant('lost' as const) },
      { weight: 2, arbitrary: fc.nat({ max: 20 }) },
      { weight: 1, arbitrary: fc.constant('forgive' as const) },
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(step, { maxLength: 60 }), (first, steps) => {
        const senders = new Senders()
        assert.equal(senders.note('n1', first), 'new')
        const missing = new Set<number>()
        let [sent, last, isForgiven] = [first, first, false]
        for (const each of steps) {
          if (each === 'lost') sent += 1
          else if (each === 'forgive') {
            senders.forgive()
            isForgiven = true
          } else if (each === 'next') {
            sent += 1
            const isHole = sent > last + 1 && !isForgiven
            for (let lost = last + 1; isHole && lost < sent; lost += 1) missing.add(lost)
            assert.equal(senders.note('n1', sent), isHole ? 'after-missing' : 'new')
            last = sent
            isForgiven = false
          } else {
            const number = Math.max(last - each, 0)
            assert.equal(senders.note('n1', number), missing.delete(number) ? 'new' : 'again')
          }
        }
      }),
      runs(300),
    )
  })
})
