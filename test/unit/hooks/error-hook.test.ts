import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Broker, type Comet, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { collectWarnings } from '../../support/warnings.ts'
import '../../support/process-guard.ts'

const tooLarge = (comet: Comet) => comet.publish({ evt: 'x'.repeat(100) })

/** A broker that takes nothing, as one whose connection is lost. */
const away: Broker = {
  ...pick(new MemoryBroker()),
  join: (node) => ({ ...new MemoryBroker().join(node), publish: () => Promise.reject(new Error('away')) }),
}

function pick({ presence, controller }: MemoryBroker) {
  return { presence, controller }
}

/** What an `'error'` hook may do that fails, because of which `'error'` would be emitted again. */
const FAILURES: Record<string, (comet: Comet) => unknown> = {
  'publishes what is too large': (comet) => {
    tooLarge(comet)
  },
  'publishes what is too large, and returns the promise': tooLarge,
  'publishes what is too large, and awaits it': async (comet) => {
    await tooLarge(comet)
  },
  'publishes what is too large after a promise': async (comet) => {
    await null
    tooLarge(comet)
  },
  'publishes what is too large after a timer': async (comet) => {
    await sleep(1)
    tooLarge(comet)
  },
  'publishes what is too large in a timer': (comet) => {
    setTimeout(() => tooLarge(comet), 1)
  },
  'reports an error': (comet) => comet.report(new Error('again')),
  'reports an error later': async (comet) => {
    await null
    comet.report(new Error('again'))
  },
  throws: () => {
    throw new Error('again')
  },
  'rejects later': async () => {
    await sleep(1)
    throw new Error('again')
  },
  'causes another hook that throws': (comet) => comet.heard('mallory'),
  'causes another hook that throws, later': async (comet) => {
    await null
    comet.heard('mallory')
  },
  'publishes to a room, where keepHistory throws': (comet) => {
    comet.publish({ rid: 'broken', evt: 'x' })
  },
}

describe("Comet.on('error')", () => {
  afterEach(closeComets)

  const make = (broker?: Broker) => {
    const { comet } = makeComet({
      maxEventBytes: 10,
      keepHistory: ({ rid }) => {
        if (rid === 'broken') throw new Error('again')
        return true
      },
      ...(broker === undefined ? {} : { broker }),
    })
    comet.on('heard', ({ uid }) => {
      if (uid === 'mallory') throw new Error('again')
    })
    return comet
  }

  /** Settles when there were so many warnings, timers run, and nothing more comes. */
  const rest = async (warnings: readonly string[], count: number) => {
    await until(
      () => warnings.length >= count,
      () => `${count} warnings, but ${warnings.join(' | ')}`,
    )
    for (let turns = 0; turns < 5; turns += 1) await sleep(1)
  }

  for (const [title, act] of Object.entries(FAILURES)) {
    it(`is called once, and its own failure becomes a warning, when it ${title}`, async () => {
      const comet = make()
      const errors: string[] = []
      comet.on('error', ({ message }) => {
        errors.push(message)
        // Without this the test would never end, whatever the timeout.
        if (errors.length < 100) return act(comet)
      })
      const warnings = await collectWarnings(async (seen) => {
        comet.report(new Error('first'))
        await rest(seen, 1)
      })
      assert.deepEqual(errors, ['first'])
      assert.equal(warnings.length, 1)
      assert.match(warnings[0] as string, /again|evt must have/)
    })
  }

  it('is called once when it publishes to a broker that is away, or on a Comet that is closed', async () => {
    for (const broken of [make(away), make()]) {
      const errors: string[] = []
      broken.on('error', ({ message }) => {
        errors.push(message)
        if (errors.length < 100) broken.publish({ evt: 'x' })
      })
      await broken.close({ drain: 0 })
      const warnings = await collectWarnings(async (seen) => {
        broken.report(new Error('first'))
        await rest(seen, 1)
      })
      assert.deepEqual(errors, ['first'])
      assert.equal(warnings.length, 1)
    }
  })

  it('is called once when it closes its Comet, and a hook throws because of that', async () => {
    const comet = make()
    await connect(comet, 'alice', 'den')
    const errors: string[] = []
    comet.on('leave', () => {
      throw new Error('again')
    })
    comet.on('error', ({ message }) => {
      errors.push(message)
      return comet.close({ drain: 0 })
    })
    const warnings = await collectWarnings(async (seen) => {
      comet.report(new Error('first'))
      await comet.close()
      await rest(seen, 1)
    })
    assert.deepEqual(errors, ['first'])
    assert.deepEqual(warnings, ['again'])
  })

  it('is called once each when two Comets report to each other', async () => {
    const [one, two] = [make(), make()]
    const errors: string[] = []
    one.on('error', ({ message }) => {
      errors.push(`one ${message}`)
      if (errors.length < 100) two.report(new Error('second'))
    })
    two.on('error', ({ message }) => {
      errors.push(`two ${message}`)
      if (errors.length < 100) one.report(new Error('third'))
    })
    const warnings = await collectWarnings(async (seen) => {
      one.report(new Error('first'))
      await rest(seen, 1)
    })
    assert.deepEqual(errors, ['one first', 'two second'])
    assert.deepEqual(warnings, ['third'])
  })

  it('is called once when another hook, which is being emitted, throws because of what it caused', async () => {
    const comet = make()
    const errors: string[] = []
    comet.on('error', ({ message }) => {
      errors.push(message)
      // This is emitted after the event that is being emitted, when the hook has returned.
      if (errors.length < 100) comet.heard('mallory')
    })
    const warnings = await collectWarnings(async (seen) => {
      comet.heard('mallory')
      await rest(seen, 1)
    })
    assert.deepEqual(errors, ['again'])
    assert.deepEqual(warnings, ['again'])
  })

  it('is called for other errors while an async one has not ended', async () => {
    const comet = make()
    const errors: string[] = []
    comet.on('error', async ({ message }) => {
      errors.push(message)
      await sleep(5)
    })
    for (const message of ['one', 'two', 'three']) comet.report(new Error(message))
    await assert.rejects(tooLarge(comet))
    await sleep(10)
    assert.equal(errors.length, 4)
  })

  it('ends a loop that leads through a queue of the broker, and timers run', async () => {
    const comet = make()
    let calls = 0
    comet.on('error', () => {
      calls += 1
      // Is delivered when the event that is being delivered is done.
      if (calls < 50_000) comet.publish({ rid: 'broken', evt: 'x' })
    })
    const warnings = await collectWarnings(async (seen) => {
      comet.publish({ rid: 'broken', evt: 'x' })
      await rest(seen, 1)
    })
    assert.ok(calls <= 10_000, `${calls} calls`)
    assert.ok(warnings.length <= 200, `${warnings.length} warnings`)
  })

  it('does not let warnings flood the process, and says so once', async () => {
    const comet = make()
    const warnings = await collectWarnings(async (seen) => {
      for (let index = 0; index < 1_000; index += 1) comet.report(new Error(`error ${index}`))
      await rest(seen, 101)
    })
    assert.deepEqual(warnings.slice(0, 2), ['error 0', 'error 1'])
    assert.equal(warnings.length, 101)
    assert.match(warnings[100] as string, /^More than 100 errors/)
  })

  it('does not loop when a listener of process warnings reports them', async () => {
    const comet = make()
    const report = (warning: Error) => comet.report(new Error(warning.message))
    const warnings = await collectWarnings(async (seen) => {
      process.on('warning', report)
      comet.report(new Error('first'))
      await rest(seen, 101)
    })
    process.off('warning', report)
    assert.ok(warnings.length <= 101)
  })
})
