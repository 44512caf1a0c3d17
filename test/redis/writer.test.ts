import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import FakeTimers from '@sinonjs/fake-timers'
import { Keys } from '../../adapters/redis/keys.ts'
import type { NumberedCalls } from '../../adapters/redis/numbered-calls.ts'
import { Writer } from '../../adapters/redis/writer.ts'
import { Gate } from '../support/inbox.ts'

/** A call that a writer has made, and what settles it. */
interface MadeCall {
  /** What is appended: the texts of each entry. */
  readonly entries: string[][]
  readonly messages: string[]
  readonly isVoid: () => boolean
  answer(text?: string): void
  /** As for a call that did not happen, and will not. */
  answerVoid(): void
  refuse(error: Error): void
}

function makeWriter() {
  const made: MadeCall[] = []
  const calls = {
    call: (_script: unknown, _keys: unknown, args: readonly string[], isVoid: () => boolean) =>
      new Promise<string | undefined>((resolve, reject) => {
        const call: MadeCall = {
          entries: [],
          messages: [],
          isVoid,
          answer: (text = 'epoch123 1-1.0 ') => resolve(text),
          answerVoid: () => resolve(undefined),
          refuse: reject,
        }
        for (let at = 4; at < args.length; at += args[at] === 'e' ? 3 : 5) {
          if (args[at] === 'e') call.entries.push(JSON.parse(args[at + 2] ?? ''))
          else call.messages.push(args[at + 4] ?? '')
        }
        made.push(call)
      }),
  }
  let gate: Promise<unknown> | undefined
  const writer = new Writer(calls as unknown as NumberedCalls, new Keys('n'), {
    room: () => ['1', '1'],
    gate: () => gate,
    onTaken: (batch) => writer.settle(batch),
  })
  const rejected: string[] = []
  const publish = (text: string) =>
    writer
      .publish(JSON.stringify(text))
      .catch(({ code }) => void rejected.push(`${text.slice(0, 10)} ${code}`))
  const setGate = (next: Promise<unknown> | undefined) => {
    gate = next
  }
  return { writer, made, publish, rejected, setGate }
}

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('Writer', () => {
  it('sends what one piece of code publishes in one call, and what comes meanwhile in the next one', async () => {
    const { made, publish } = makeWriter()
    publish('1')
    publish('2')
    await turn()
    publish('3')
    publish('4')
    await turn()
    assert.deepEqual(
      made.map(({ entries }) => entries),
      [[['1', '2']]],
    )
    made[0]?.answer()
    await turn()
    assert.deepEqual(made[1]?.entries, [['3', '4']])
  })

  it('sends all that came meanwhile in the next call, however long Redis takes to answer', async () => {
    const { made, publish } = makeWriter()
    publish('1')
    await turn()
    publish('2')
    await sleep(200)
    publish('3')
    made[0]?.answer()
    await turn()
    assert.deepEqual(made[1]?.entries, [['2', '3']])
  })

  it('sends at most 256 events or 64 KiB in a call, and a larger event alone', async () => {
    const { made, publish } = makeWriter()
    for (let count = 0; count < 300; count += 1) publish('x')
    for (let count = 0; count < 3; count += 1) publish('y'.repeat(30_000))
    publish('z'.repeat(100_000))
    publish('last')
    for (let at = 0; at < 5; at += 1) {
      await turn()
      made[at]?.answer()
    }
    assert.deepEqual(
      made.map(({ entries }) =>
        entries
          .flat()
          .map((text) => text[0])
          .join(''),
      ),
      ['x'.repeat(256), `${'x'.repeat(44)}yy`, 'y', 'z', 'l'],
    )
  })

  it('keeps the order of events, commands to all and messages', async () => {
    const { writer, made, publish } = makeWriter()
    const sent: boolean[] = []
    const message = {
      node: 'b',
      deadline: 1,
      onSent: (isThere: boolean) => sent.push(isThere),
      onFailed: assert.fail,
    }
    publish('1')
    writer.send({ ...message, text: '"2"' })
    const told = writer.publish('"3"')
    publish('4')
    writer.send({ ...message, text: '"5"' })
    await turn()
    assert.deepEqual(
      made.map(({ entries, messages }) => [entries, messages]),
      [
        [
          [['1'], ['3', '4']],
          ['"2"', '"5"'],
        ],
      ],
    )
    made[0]?.answer('epoch123 1-1.0 10')
    await told
    await turn()
    assert.deepEqual(sent, [true, false])
  })

  it('takes 10,000 events or 16 MiB during an outage, and rejects what is more', async () => {
    const { writer, publish, rejected } = makeWriter()
    writer.setUp(false)
    for (let count = 0; count < 10_001; count += 1) publish(`e${count}`)
    await turn()
    assert.deepEqual(rejected, ['e10000 UNAVAILABLE'])
    const other = makeWriter()
    other.writer.setUp(false)
    for (let count = 0; count < 17; count += 1) other.publish(`${count} ${'x'.repeat(1_048_576 - 6)}`)
    await turn()
    assert.deepEqual(
      other.rejected.map((text) => text.split(' ')[0]),
      ['16'],
    )
  })

  it('takes more while Redis is there, and rejects the latest of it when Redis goes away', async () => {
    const { writer, made, publish, rejected } = makeWriter()
    for (let count = 0; count < 20_000; count += 1) publish(`e${count}`)
    await turn()
    assert.equal(rejected.length, 0)
    writer.setUp(false)
    await turn()
    assert.ok(rejected.length >= 10_000 && rejected.length < 10_300, `${rejected.length}`)
    assert.ok(rejected.includes('e19999 UNAVAILABLE'))
    const left = 20_000 - rejected.length
    writer.setUp(true)
    let seen = 0
    for (let at = 0; at < made.length; at += 1) {
      for (const text of made[at]?.entries.flat() ?? []) assert.equal(text, `e${seen++}`)
      made[at]?.answer()
      await turn()
    }
    assert.equal(seen, left)
  })

  it('rejects what has waited for 30 s, and asks first about what may have arrived', async () => {
    const clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    try {
      const { writer, made, publish, rejected } = makeWriter()
      publish('on its way')
      await turn()
      clock.tick(10_000)
      publish('waits')
      clock.tick(15_000)
      publish('waits less')
      clock.tick(4_900)
      await turn()
      assert.equal(made[0]?.isVoid(), false)
      clock.tick(200)
      assert.equal(made[0]?.isVoid(), true)
      clock.tick(11_000)
      await turn()
      assert.deepEqual(rejected, ['waits UNAVAILABLE'])
      made[0]?.answerVoid()
      await turn()
      assert.deepEqual(rejected, ['waits UNAVAILABLE', 'on its way UNAVAILABLE'])
      assert.equal(made.length, 2)
      assert.deepEqual(made[1]?.entries, [['waits less']])
      made[1]?.answer()
      await turn()
      assert.equal(writer.settled(), undefined)
    } finally {
      clock.uninstall()
    }
  })

  it('rejects what Redis refuses, and goes on', async () => {
    const { writer, made, publish, rejected } = makeWriter()
    publish('1')
    await turn()
    publish('2')
    made[0]?.refuse(new Error("OOM command not allowed when used memory > 'maxmemory'."))
    await turn()
    assert.deepEqual(rejected, ['1 UNAVAILABLE'])
    made[1]?.answer()
    await turn()
    assert.deepEqual(rejected, ['1 UNAVAILABLE'])
    await assert.rejects(writer.publish(JSON.stringify('x'.repeat(17_000_000))), { code: 'EVENT_TOO_LARGE' })
  })

  it('waits until it may send, and rejects everything when it is closed', async () => {
    const gate = new Gate()
    const { writer, made, publish, rejected, setGate } = makeWriter()
    setGate(gate.pass())
    publish('1')
    await turn()
    assert.equal(made.length, 0)
    gate.open()
    setGate(undefined)
    await turn()
    assert.equal(made.length, 1)
    publish('2')
    writer.close()
    await assert.rejects(writer.publish('1'), { code: 'SHUTTING_DOWN' })
    await turn()
    assert.deepEqual(rejected, ['2 SHUTTING_DOWN'])
  })
})
