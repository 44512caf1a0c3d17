import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { isCometError } from '../../../lib/errors.ts'
import { readJson } from '../../../lib/http/body.ts'
import { CometError } from '../../../lib/index.ts'
import { messageOf } from '../../../lib/util/is-error.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import '../../support/process-guard.ts'

/** What Jest and `vm` contexts do: the code has built-ins of its own, which are not those of Node.js. */
const foreign = (code: string) => runInNewContext(code)

describe('Values of another realm', () => {
  afterEach(closeComets)

  it("reach 'error' unchanged when they are Errors", () => {
    const { comet } = makeComet()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    const given = [
      foreign('new Error("a")'),
      foreign('Object.assign(new TypeError("b"), { code: "ECONNRESET" })'),
      foreign('new (class Own extends RangeError { get [Symbol.toStringTag]() { return "Own" } })("c")'),
      foreign('new AggregateError([], "d")'),
      new DOMException('e', 'AbortError'),
    ]
    for (const error of given) comet.report(error)
    assert.ok(given.every((error, index) => errors[index] === error))
  })

  it('are CometErrors when they are', () => {
    const error = foreign(
      'Object.assign(new Error("x"), { name: "CometError", code: "FORBIDDEN", status: 403 })',
    )
    assert.ok(isCometError(error))
    assert.ok(isCometError(new CometError('FORBIDDEN')))
    const no = [foreign('new Error("x")'), { name: 'CometError' }, null, undefined, 'CometError']
    for (const each of no) assert.ok(!isCometError(each))
  })

  it('are refused or taken as those of this realm are, in Comet.publish', async () => {
    const { comet } = makeComet()
    comet.on('error', () => {})
    await comet.publish(foreign('({ rid: "lobby", evt: { event: "x", data: [1] } })'))
    await comet.publish({ evt: foreign('({})') }, foreign('({ transient: true })'))
    for (const evt of ['new Map()', 'new Date()', 'Promise.resolve()']) {
      await assert.rejects(comet.publish({ evt: foreign(evt) }), { code: 'INVALID_EVENT' })
    }
  })

  it('are bodies when they are Uint8Arrays', async () => {
    const body = foreign('new Uint8Array([123, 125])')
    const req = { headers: { 'content-type': 'application/json' }, readableDidRead: true }
    assert.deepEqual(await readJson(req as never, body, 100), {})
  })

  it("reach 'error' as an Error when they are proxies that throw", () => {
    const { comet } = makeComet()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    const trap = () => {
      throw new Error('trapped')
    }
    const hostile = new Proxy(new Error(), { get: trap, getPrototypeOf: trap, has: trap })
    comet.report(new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap }))
    assert.equal((errors[0] as CometError).code, 'INTERNAL')
    assert.equal(typeof messageOf(hostile), 'string')
    assert.ok(!isCometError(hostile))
  })
})
