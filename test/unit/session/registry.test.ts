import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Identification } from '../../../lib/session/identity.ts'
import { Registry } from '../../../lib/session/registry.ts'
import { Session, type SessionContext } from '../../../lib/session/session.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

const USERS = ['alice', 'bob'] as const
const ROOMS = ['den', 'attic', 'hall'] as const

/** A session that presence knows of. The Registry needs no context. */
function makeSession(uid: string, number: number): Session {
  const identity: Identification = { uid, anonymous: false, rooms: [], info: undefined, expiresAt: undefined }
  const session = new Session({} as SessionContext, new MemoryTransport(), `connection-${number}`, identity)
  session.present = true
  return session
}

/** The rooms of sessions and users, by the simplest means: everything is found by a search. */
class Model {
  readonly sessions: { session: Session; rooms: Set<string> }[] = []
  readonly memberships = new Map<string, Set<string>>()

  roomsOf(session: Session): string[] {
    const own = this.sessions.find((each) => each.session === session)?.rooms ?? []
    return [...new Set([...own, ...(this.memberships.get(session.uid) ?? [])])].sort()
  }

  remove(session: Session): void {
    const index = this.sessions.findIndex((each) => each.session === session)
    if (index >= 0) this.sessions.splice(index, 1)
    if (!this.sessions.some((each) => each.session.uid === session.uid)) this.memberships.delete(session.uid)
  }

  enter(session: Session, rid: string): void {
    this.sessions.find((each) => each.session === session)?.rooms.add(rid)
  }

  leave(session: Session, rid: string): boolean {
    return this.sessions.find((each) => each.session === session)?.rooms.delete(rid) ?? false
  }

  enterUser(uid: string, rid: string): void {
    if (!this.sessions.some(({ session }) => session.uid === uid)) return
    this.memberships.set(uid, (this.memberships.get(uid) ?? new Set()).add(rid))
  }

  leaveUser(uid: string, rid: string): void {
    this.memberships.get(uid)?.delete(rid)
    for (const { session, rooms } of this.sessions) if (session.uid === uid) rooms.delete(rid)
  }
}

function check(registry: Registry, model: Model): void {
  const live = model.sessions.map(({ session }) => session)
  assert.equal(registry.sessionCount, live.length)
  assert.equal(registry.userCount, new Set(live.map(({ uid }) => uid)).size)
  assert.deepEqual(new Set(registry.all()), new Set(live))
  for (const session of live) {
    assert.equal(registry.get(session.sid), session)
    assert.deepEqual([...registry.roomsOf(session)].sort(), model.roomsOf(session))
  }
  for (const uid of USERS) {
    assert.deepEqual(new Set(registry.ofUser(uid)), new Set(live.filter((session) => session.uid === uid)))
  }
  const occupied = ROOMS.filter((rid) => live.some((session) => model.roomsOf(session).includes(rid)))
  assert.equal(registry.roomCount, occupied.length)
  for (const rid of ROOMS) {
    const inside = live.filter((session) => model.roomsOf(session).includes(rid))
    assert.deepEqual(new Set(registry.inRoom(rid)), new Set(inside))
  }
}

describe('Registry', () => {
  it('agrees with a simple model after any sequence of operations', () => {
    const uid = fc.constantFrom(...USERS)
    const rid = fc.constantFrom(...ROOMS)
    const at = fc.nat(7)
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ op: fc.constant('add' as const), uid }) },
      {
        weight: 2,
        arbitrary: fc.record({ op: fc.constantFrom('remove' as const, 'rename' as const), at }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ op: fc.constantFrom('enter' as const, 'leave' as const), at, rid }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ op: fc.constantFrom('enterUser' as const, 'leaveUser' as const), uid, rid }),
      },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const registry = new Registry()
        const model = new Model()
        /** All sessions there ever were: operations on one that was removed have no effect. */
        const all: Session[] = []
        for (const taken of steps) {
          if (taken.op === 'add') {
            const session = makeSession(taken.uid, all.length)
            all.push(session)
            registry.add(session)
            model.sessions.push({ session, rooms: new Set() })
          } else if ('uid' in taken) {
            registry[taken.op](taken.uid, taken.rid)
            model[taken.op](taken.uid, taken.rid)
          } else {
            const session = all[taken.at]
            if (session === undefined) continue
            const isLive = model.sessions.some((each) => each.session === session)
            if (!('rid' in taken)) {
              if (taken.op === 'remove') {
                registry.remove(session)
                model.remove(session)
              } else if (isLive) registry.rename(session, `sid-${session.sid}`)
            } else if (taken.op === 'enter') {
              registry.enter(session, taken.rid, 'url')
              model.enter(session, taken.rid)
            } else if (isLive) {
              assert.equal(registry.leave(session, taken.rid), model.leave(session, taken.rid))
            }
          }
          check(registry, model)
        }
      }),
    )
  })

  it('does not find a session by the sid that another session has taken over', () => {
    const registry = new Registry()
    const [first, second] = [makeSession('alice', 1), makeSession('alice', 2)]
    registry.add(first)
    registry.add(second)
    const { sid } = first
    registry.remove(first)
    registry.rename(second, sid)
    assert.deepEqual([registry.get(sid), registry.get('connection-2')], [second, undefined])
    // The end of the first session, or a room for it, comes late.
    registry.remove(first)
    registry.enter(first, 'den', 'url')
    assert.deepEqual([registry.get(sid), registry.roomCount], [second, 0])
  })
})
