import assert from 'node:assert/strict'
import { ActivityFeed } from '../../../lib/hooks/activity-feed.ts'
import { Hooks } from '../../../lib/hooks/hooks.ts'
import { UserActivityEvent } from '../../../lib/index.ts'
import { countSteps } from '../../support/steps.ts'
import { THROWN, throws } from '../../support/thrown.ts'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

function activity(type: UserActivityEvent.Type, uid = 'u1'): UserActivityEvent {
  return new UserActivityEvent({ type, uid, rid: type >= ENTER_ROOM ? 'r1' : undefined, time: 1n })
}

describe('ActivityFeed', () => {
  let hooks: Hooks
  let feed: ActivityFeed

  beforeEach(() => {
    hooks = new Hooks()
    feed = new ActivityFeed(hooks)
  })

  it('calls "activity" and then the hook of the type', () => {
    const calls: string[] = []
    for (const name of ['activity', 'online', 'offline', 'heard', 'enter', 'leave'] as const) {
      hooks.on(name, ({ type }) => calls.push(`${name} ${type}`))
    }
    feed.push([ONLINE, ENTER_ROOM, HEARD, LEAVE_ROOM, OFFLINE].map((type) => activity(type)))
    assert.deepEqual(calls, [
      ...['activity 1', 'online 1', 'activity 4', 'enter 4', 'activity 3', 'heard 3'],
      ...['activity 5', 'leave 5', 'activity 2', 'offline 2'],
    ])
  })

  it('keeps the order for every hook, even if the first one causes more activity', () => {
    const [first, second, third]: [string[], string[], string[]] = [[], [], []]
    hooks.on('activity', ({ uid }) => {
      first.push(uid)
      if (uid === 'u1') feed.push([activity(HEARD, 'u3'), activity(HEARD, 'u4')])
      if (uid === 'u3') feed.push([activity(HEARD, 'u5')])
    })
    hooks.on('activity', ({ uid }) => second.push(uid))
    hooks.on('heard', ({ uid }) => third.push(uid))
    feed.push([activity(HEARD, 'u1'), activity(HEARD, 'u2')])
    for (const calls of [first, second, third]) assert.deepEqual(calls, ['u1', 'u2', 'u3', 'u4', 'u5'])
  })

  it('delivers before push() returns, except from within a hook: then after that hook has returned', () => {
    const calls: string[] = []
    hooks.on('online', () => {
      feed.push([activity(HEARD, 'u2')])
      assert.deepEqual(calls, [])
    })
    hooks.on('heard', ({ uid }) => calls.push(uid))
    feed.push([activity(ONLINE, 'u1')])
    assert.deepEqual(calls, ['u2'])
  })

  it('takes twice as many steps for twice as many events amid one emit, or at once', async () => {
    const amid = (count: number) => {
      hooks.once('online', () => {
        for (let index = 0; index < count; index += 1) feed.push([activity(HEARD)])
      })
      return countSteps(() => feed.push([activity(ONLINE)]))
    }
    const atOnce = (count: number) => {
      const events = Array.from({ length: count }, () => activity(HEARD))
      return countSteps(() => feed.push(events))
    }
    for (const steps of [amid, atOnce]) {
      const [once, twice] = [await steps(5_000), await steps(10_000)]
      assert.ok(once >= 5_000 && twice <= 2.5 * once, `${once} and ${twice}`)
    }
  })

  it('takes any number of events at once', () => {
    let heard = 0
    hooks.on('heard', () => {
      heard += 1
    })
    feed.push(new Array(300_000).fill(activity(HEARD)))
    assert.equal(heard, 300_000)
  })

  it('continues after a hook threw something that cannot be made a string', () => {
    const calls: string[] = []
    let errors = 0
    hooks.on('error', () => {
      errors += 1
    })
    for (const thrown of THROWN) {
      hooks.once('activity', throws(thrown))
    }
    hooks.on('activity', ({ uid }) => calls.push(uid))
    feed.push([activity(HEARD, 'u1')])
    feed.push([activity(HEARD, 'u2')])
    assert.deepEqual(calls, ['u1', 'u2'])
    assert.equal(errors, THROWN.length)
  })
})
