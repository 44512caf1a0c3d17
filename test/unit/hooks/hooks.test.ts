import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { Hooks } from '../../../lib/hooks/hooks.ts'
import { CometError, UserActivityEvent } from '../../../lib/index.ts'
import { THROWN, throws } from '../../support/thrown.ts'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM } = UserActivityEvent.Type

function activity(type: UserActivityEvent.Type, uid = 'u1'): UserActivityEvent {
  return new UserActivityEvent({ type, uid, rid: type >= ENTER_ROOM ? 'r1' : undefined, time: 1n })
}

describe('Hooks: Comet.on, once and off', () => {
  let hooks: Hooks
  const warnings: Error[] = []
  let others: NodeJS.WarningListener[] = []

  // Node's own listener would print each warning between the results.
  before(() => {
    others = process.listeners('warning')
    process.removeAllListeners('warning').on('warning', (warning) => {
      if (warning.name === 'CometWarning') warnings.push(warning)
    })
  })

  after(() => {
    process.removeAllListeners('warning')
    for (const listener of others) process.on('warning', listener)
  })

  beforeEach(() => {
    hooks = new Hooks()
    warnings.length = 0
  })

  const emit = (uid = 'u1') => hooks.emit('activity', activity(HEARD, uid))

  describe('a listener', () => {
    it('gets the event, in the order in which listeners were added', () => {
      const calls: unknown[] = []
      hooks.on('activity', (event) => calls.push('first', event))
      hooks.on('activity', (event) => calls.push('second', event))
      const event = activity(HEARD)
      hooks.emit('activity', event)
      assert.deepEqual(calls, ['first', event, 'second', event])
    })

    it('is called only once after once(), even if it causes the same event again', () => {
      const calls: string[] = []
      hooks.once('activity', ({ uid }) => {
        calls.push(uid)
        emit('u2')
      })
      emit('u1')
      emit('u3')
      assert.deepEqual(calls, ['u1'])
    })

    it('is not called after off(), whether on() or once() added it', () => {
      const calls: string[] = []
      const listener = ({ uid }: { uid: string }) => calls.push(uid)
      hooks.on('activity', listener)
      emit('u1')
      hooks.off('activity', listener)
      emit('u2')
      hooks.once('activity', listener)
      hooks.off('activity', listener)
      emit('u3')
      assert.deepEqual(calls, ['u1'])
    })

    it('may be added under two names, and off() removes it from one', () => {
      const calls: string[] = []
      const listener = ({ uid }: { uid: string }) => calls.push(uid)
      hooks.on('online', listener)
      hooks.on('offline', listener)
      hooks.emit('online', activity(ONLINE, 'u1'))
      hooks.emit('offline', activity(OFFLINE, 'u2'))
      hooks.off('online', listener)
      hooks.emit('online', activity(ONLINE, 'u3'))
      hooks.emit('offline', activity(OFFLINE, 'u4'))
      assert.deepEqual(calls, ['u1', 'u2', 'u4'])
    })

    it('is called although another listener removes itself meanwhile', () => {
      const calls: string[] = []
      const first = () => hooks.off('activity', first)
      hooks.on('activity', first)
      hooks.on('activity', ({ uid }) => calls.push(uid))
      emit('u1')
      emit('u2')
      assert.deepEqual(calls, ['u1', 'u2'])
    })
  })

  it('refuse a listener that is no function', () => {
    for (const listener of [undefined, null, {}, 'online']) {
      const message = /^A hook must be a function, not /
      for (const add of ['on', 'once'] as const) {
        const call = () => hooks[add]('activity', listener as unknown as () => void)
        assert.throws(call, { name: 'CometError', code: 'INVALID_OPTION', message })
      }
    }
  })

  describe('a listener that throws', () => {
    const oops = new Error('oops')

    it('is reported to "error" each time, and stops neither other listeners nor the emitter', async () => {
      const [calls, errors]: [string[], Error[]] = [[], []]
      hooks.on('error', (error) => errors.push(error))
      hooks.on('activity', throws(oops))
      hooks.on('activity', ({ uid }) => calls.push(uid))
      emit('u1')
      emit('u2')
      assert.deepEqual(calls, ['u1', 'u2'])
      assert.equal(errors.length, 2)
      for (const error of errors) assert.equal(error, oops)
      // A warning would have been emitted by now. There is none, because a listener was called.
      await turn()
      assert.deepEqual(warnings, [])
    })

    it('is reported to "error" when it is async', async () => {
      const error = new Promise<Error>((resolve) => hooks.on('error', resolve))
      hooks.on('activity', async () => {
        await turn()
        throw oops
      })
      emit()
      assert.equal(await error, oops)
    })

    it('is reported as an Error, whatever it throws', async () => {
      const errors: Error[] = []
      hooks.on('error', (error) => errors.push(error))
      for (const thrown of THROWN) {
        hooks.once('activity', throws(thrown))
        hooks.once('activity', () => Promise.reject(thrown))
        emit()
        await turn()
      }
      const twice = THROWN.flatMap((thrown) => [thrown, thrown])
      assert.ok(errors.every(({ cause }, index) => cause === twice[index]))
      assert.equal(errors.length, twice.length)
      for (const error of errors) {
        assert.ok(error instanceof CometError && error.code === 'INTERNAL')
        assert.match(error.message, /^Something threw: /)
      }
    })

    it('becomes a process warning when nothing listens to "error"', async () => {
      hooks.on('activity', throws(oops))
      emit()
      await turn()
      assert.equal(warnings.map(({ message }) => message).join(), 'oops')
      // The stack tells a developer where it was thrown.
      assert.equal((warnings[0] as Error & { detail?: string }).detail, oops.stack)
    })

    it('becomes a process warning when it listens to "error" itself, and other listeners are still called', async () => {
      const errors: Error[] = []
      for (const thrown of [oops, ...THROWN]) {
        hooks.once('error', throws(thrown))
        hooks.once('error', () => Promise.reject(thrown))
        hooks.once('error', (error) => errors.push(error))
        hooks.report(oops)
        await turn()
      }
      assert.deepEqual(errors, Array(THROWN.length + 1).fill(oops))
      const messages = warnings.map(({ message }) => message.replace(/: .*/s, ''))
      assert.deepEqual(messages, ['oops', 'oops', ...Array(2 * THROWN.length).fill('Something threw')])
    })
  })
})

describe('Comet.on with an unknown name', () => {
  it('is refused, and so is Comet.once', () => {
    for (const name of ['onlin', 'close', 'toString']) {
      const message = new RegExp(`no hook "${name}"\\. The hooks are activity, online`)
      assert.throws(() => new Hooks().on(name as 'online', () => {}), { code: 'INVALID_OPTION', message })
      assert.throws(() => new Hooks().once(name as 'online', () => {}), { code: 'INVALID_OPTION', message })
    }
  })
})
