import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import {
  parseMessage,
  parseUserActivityEvent,
  stringifyMessage,
  stringifyUserActivityEvent,
  UserActivityEvent,
} from '../../../lib/index.ts'
import { decoy, int64, Literal, writeObject } from '../../support/arbitraries.ts'
import type { JsonSteps } from '../../support/json-steps.ts'
import { runs } from '../../support/tier.ts'

const STEPS = fileURLToPath(new URL('../../support/json-steps.ts', import.meta.url))

const { ONLINE } = UserActivityEvent.Type

/** The objects of the protocol that have a time, with a function to read it and one to write it. */
const CARRIERS = [
  {
    name: 'Message' as const,
    fields: ['server', 'event', 'data', 'id', 'time'],
    read: (text: string) => parseMessage(text).time,
    write: (time: bigint) => stringifyMessage({ time }),
  },
  {
    name: 'UserActivityEvent' as const,
    fields: ['type', 'uid', 'rid', 'time'],
    read: (text: string) => parseUserActivityEvent(text).time,
    write: (time: bigint) => stringifyUserActivityEvent({ type: ONLINE, uid: 'u1', time }),
  },
]

/** Values of "time" that are no int64, and what the error must say of each. */
const MALFORMED: readonly (readonly [value: string, says: RegExp])[] = [
  ['9223372036854775808', /out of the range of int64: 9223372036854775808$/],
  ['-9223372036854775809', /out of the range of int64: -9223372036854775809$/],
  ['"9223372036854775808"', /out of the range of int64: 9223372036854775808$/],
  ['"-9223372036854775809"', /out of the range of int64: -9223372036854775809$/],
  ['100000000000000000000', /out of the range of int64$/],
  ...['1e3', '1E3', '1.5', '1.0', '-0.0', '1e400', '9.223372036854775807e18'].map(
    (value) => [value, /must be an integer in decimal, without fraction, exponent/] as const,
  ),
  ...['abc', '', ' ', '1 ', ' 1', '1\\n', '+1', '01', '-', '0x10', '1e3', '1.5', '1_000', '1n', '\uff11'].map(
    (value) => [`"${value}"`, /must be an integer in decimal/] as const,
  ),
  ['true', /must be an integer, bare or as a string, not a boolean$/],
  ['false', /must be an integer, bare or as a string, not a boolean$/],
  ['{}', /must be an integer, bare or as a string, not an object$/],
  ['[1]', /must be an integer, bare or as a string, not an array$/],
]

for (const { name, fields, read, write } of CARRIERS) {
  describe(`${name}.time`, () => {
    it('round-trips every int64', () => {
      fc.assert(
        fc.property(int64, (time) => {
          assert.equal(read(write(time)), time)
        }),
        runs(500),
      )
    })

    for (const time of [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      it(`round-trips ${time}`, () => {
        assert.equal(read(write(time)), time)
      })
    }

    it('is exact from a bare integer, where JSON.parse rounds', () => {
      const text = '{"time":1700000000123456789}'
      assert.equal(read(text), 1700000000123456789n)
      assert.notEqual(BigInt(JSON.parse(text).time), 1700000000123456789n)
    })

    it('is exact from a string, as protojson writes it', () => {
      assert.equal(read('{"time":"1700000000123456789"}'), 1700000000123456789n)
    })

    it('is 0 when it is absent, null or negative zero', () => {
      for (const text of ['{}', '{"time":null}', '{"time":-0}', '{"time":"-0"}', '{"time":1,"time":null}']) {
        assert.equal(read(text), 0n, text)
      }
    })

    it('ignores a "time" that is nested, in a string, or part of another key', () => {
      const decoys = [
        '{"x":{"time":1,"y":[{"time":2}]},"time":7000000000000000007}',
        '{"time":7000000000000000007,"x":{"time":1}}',
        '{"x":"\\"time\\":1,","time":7000000000000000007}',
        '{"x":"\\\\","time":7000000000000000007,"y":"}"}',
        '{"time ":1,"Time":2,"\\"time\\"":3,"time":7000000000000000007,"xtime":4}',
        '{"x":[[],{},"]",[{"}":"{"}]],"time":7000000000000000007}',
      ]
      for (const text of decoys) assert.equal(read(text), 7000000000000000007n, text)
    })

    it('accepts any escapes in its key', () => {
      assert.equal(read('{"\\u0074\\u0069\\u006D\\u0065":7000000000000000007}'), 7000000000000000007n)
    })

    it('is the last of several, as with JSON.parse', () => {
      assert.equal(read('{"time":1,"\\u0074ime":7000000000000000007}'), 7000000000000000007n)
      assert.equal(read('{"\\u0074ime":"1","time":7000000000000000007}'), 7000000000000000007n)
      assert.equal(read('{"time":7000000000000000001,"time":"7000000000000000007"}'), 7000000000000000007n)
      assert.equal(read('{"time":{"time":1},"time":7000000000000000007}'), 7000000000000000007n)
    })

    it('is exact from any JSON object, bare or as a string', () => {
      const key = fc.string().filter((each) => !fields.includes(each))
      const before = fc.array(fc.tuple(fc.oneof(key, fc.constant('time')), decoy), { maxLength: 4 })
      const after = fc.array(fc.tuple(key, decoy), { maxLength: 4 })
      fc.assert(
        fc.property(before, int64, fc.boolean(), after, fc.gen(), (some, time, bare, others, pick) => {
          const member = ['time', bare ? new Literal(`${time}`) : `${time}`] as const
          const text = writeObject(pick, [...some, member, ...others])
          // Check the test itself: the text is JSON with this time, apart from the rounding.
          assert.equal(Number(JSON.parse(text).time), Number(time))
          assert.equal(read(text), time)
        }),
        runs(500),
      )
    })

    for (const [value, says] of MALFORMED) {
      it(`refuses ${JSON.stringify(value)} and says why`, () => {
        assert.throws(() => read(`{"time":${value}}`), {
          name: 'CometError',
          code: 'INVALID_FIELD',
          message: new RegExp(`^${name}\\.time .*${says.source}`),
        })
      })
    }

    it('refuses a malformed duplicate when it is the last one', () => {
      assert.throws(() => read('{"time":1,"time":1.5}'), { code: 'INVALID_FIELD' })
    })

    // BigInt takes more than linear time, seconds for these digits: an easy way to stall a server.
    it('refuses millions of digits before it converts them, and does not repeat them', () => {
      const digits = '9'.repeat(10_000_000)
      const { BigInt: convert } = globalThis
      const converted: number[] = []
      globalThis.BigInt = Object.assign((value: string) => {
        converted.push(value.length)
        return convert(value)
      }, convert)
      try {
        for (const text of [`{"time":${digits}}`, `{"time":"${digits}"}`]) {
          assert.throws(() => read(text), { code: 'INVALID_FIELD', message: /^.{1,200}$/ })
        }
        assert.deepEqual(converted, [])
        assert.equal(read('{"time":"7"}'), 7n)
        assert.deepEqual(converted, [1])
      } finally {
        globalThis.BigInt = convert
      }
    })

    it('is found in linear time behind many members and deep nesting', () => {
      const [once, twice] = countSteps()[name]
      assert.ok(
        once > 50_000 && twice < 2.1 * once,
        `${once} steps, and ${twice} for a text of twice the size`,
      )
    })
  })
}

let counted: JsonSteps | undefined

function countSteps(): JsonSteps {
  if (counted === undefined) {
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', STEPS], { encoding: 'utf8' })
    assert.equal(stderr, '')
    counted = JSON.parse(stdout) as JsonSteps
  }
  return counted
}
