import assert from 'node:assert/strict'
import fc from 'fast-check'
import { streamOf, subjectsOf } from '../../adapters/nats/subjects.ts'
import { runs } from '../support/tier.ts'

describe('subjectsOf', () => {
  it('names the topics of Go-Micro, and a subject that is for Comets only', () => {
    assert.deepEqual(subjectsOf('io.goeasy'), {
      events: 'io.goeasy.service.comet',
      activity: 'io.goeasy.topic.user-activity',
      sessions: 'io.goeasy.comet.session',
    })
  })

  it('takes any namespace that may be the beginning of a subject', () => {
    for (const namespace of ['comet', 'a.b.c', 'a-b_c', 'a/b', 'é', '$x']) {
      assert.equal(subjectsOf(namespace).events, `${namespace}.service.comet`)
    }
  })

  for (const namespace of [
    'a b',
    'a\tb',
    'a\r\nb',
    'a*',
    '*',
    '>',
    'a.>',
    '.a',
    'a.',
    'a..b',
    '',
    '.',
    'a\0',
    'a\x7f',
  ]) {
    it(`refuses the namespace ${JSON.stringify(namespace)}`, () => {
      assert.throws(() => subjectsOf(namespace), {
        name: 'CometError',
        code: 'INVALID_OPTION',
        message: /^Option namespace /,
      })
    })
  }
})

describe('streamOf', () => {
  it('names a stream by letters, digits, - and _ only, which every server and file system takes', () => {
    assert.equal(streamOf('io.goeasy'), 'comet-io_2egoeasy')
    assert.equal(streamOf('a-b_c'), 'comet-a-b_5fc')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (namespace) => {
        assert.match(streamOf(namespace), /^comet-[\w-]*$/)
      }),
    )
  })

  it('names another stream for each namespace', () => {
    const letters = fc.constantFrom(
      ...['a', 'b', '2', 'e', 'f', '_', '.', '/', 'é', '\u02eb', '\u{1f600}', '\u2eb2'],
    )
    const namespace = fc.string({ unit: letters, maxLength: 4 })
    const names = new Map<string, string>()
    fc.assert(
      fc.property(namespace, (each) => {
        const other = names.get(streamOf(each)) ?? each
        assert.equal(each, other)
        names.set(streamOf(each), each)
      }),
      runs(5_000),
    )
    // U+02EB is not a dot and a b.
    assert.notEqual(streamOf('a.b'), streamOf('a\u02eb'))
  })
})
