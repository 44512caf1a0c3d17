import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatPosition, nanosecondsOf, parsePosition } from '../../adapters/nats/stream-position.ts'
import { StreamTimes } from '../../adapters/nats/stream-times.ts'

const MOST = 1_048_576

describe('StreamTimes', () => {
  it('know nothing at first', () => {
    assert.equal(new StreamTimes().get(0), undefined)
    assert.equal(new StreamTimes().get(1), undefined)
  })

  it('know the times of what came since they began, by sequence', () => {
    const times = new StreamTimes()
    times.reset(1_000_001, 5)
    times.add(6)
    assert.deepEqual(
      [1_000_000, 1_000_001, 1_000_002, 1_000_003].map((sequence) => times.get(sequence)),
      [undefined, 5, 6, undefined],
    )
    assert.equal(times.get(1_000_001.5), undefined)
  })

  it('forget everything when they begin again, also with a smaller sequence', () => {
    const times = new StreamTimes()
    times.reset(500, 1)
    for (let time = 2; time < 5_000; time += 1) times.add(time)
    times.reset(3, 7)
    assert.equal(times.get(3), 7)
    for (const sequence of [2, 4, 500, 5_000]) assert.equal(times.get(sequence), undefined)
  })

  it('have all times while there are at most 1,048,576, and then the latest of them', () => {
    const times = new StreamTimes()
    const first = 12_345
    times.reset(first, first)
    for (let sequence = first + 1; sequence < first + MOST + 3; sequence += 1) {
      times.add(sequence)
      if (sequence === first + MOST - 1) assert.equal(times.get(first), first)
    }
    for (let sequence = first; sequence < first + MOST + 4; sequence += 1) {
      const isKnown = sequence >= first + 3 && sequence < first + MOST + 3
      if (times.get(sequence) !== (isKnown ? sequence : undefined))
        assert.fail(`${sequence} ${times.get(sequence)}`)
    }
  })

  it('agree with a map after any number of times from any sequence', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.nat({ max: 9_000 }), (first, count) => {
        const times = new StreamTimes()
        times.reset(first, 0.5)
        for (let each = 1; each <= count; each += 1) times.add(each + 0.5)
        for (let each = 0; each <= count; each += 1) {
          if (times.get(first + each) !== each + 0.5)
            assert.fail(`${first} ${each} ${times.get(first + each)}`)
        }
        assert.equal(times.get(first - 1), undefined)
        assert.equal(times.get(first + count + 1), undefined)
      }),
    )
  })
})

describe('A position in a stream', () => {
  it('is written and read back', () => {
    const place = { sequence: 17, time: '1700000000123456789' }
    assert.equal(formatPosition(place), '17.1700000000123456789')
    assert.deepEqual(parsePosition('17.1700000000123456789'), place)
  })

  for (const text of [
    '',
    '17',
    '17.',
    '.5',
    '17.5.5',
    'a.5',
    '17.b',
    '-1.5',
    ' 1.5',
    '1.5\n',
    '1234567890123456.5',
    '1.123456789012345678901',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(parsePosition(text), undefined)
    })
  }
})

describe('nanosecondsOf', () => {
  for (const [text, nanoseconds] of [
    ['2023-11-14T22:13:20.123456789Z', '1700000000123456789'],
    ['2023-11-14T22:13:20.1Z', '1700000000100000000'],
    ['2023-11-14T22:13:20.000000001Z', '1700000000000000001'],
    ['2023-11-14T22:13:20Z', '1700000000000000000'],
    ['2023-11-15T00:13:20.5+02:00', '1700000000500000000'],
    ['0001-01-01T00:00:00Z', '0'],
    ['', '0'],
    ['no time', '0'],
  ] as const) {
    it(`reads ${JSON.stringify(text)} as ${nanoseconds}`, () => {
      assert.equal(nanosecondsOf(text), nanoseconds)
    })
  }
})
