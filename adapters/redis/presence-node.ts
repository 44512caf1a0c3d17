import { Health } from '../../lib/ports/health.ts'
import type { PresenceHandler, RestorableSession, SessionConnection } from '../../lib/ports/presence.ts'
import { clock } from '../../lib/util/clock.ts'
import { ClockCheck } from './clock-check.ts'
import { type RedisConnection, type Reply, withDeadline } from './connection.ts'
import type { RedisNode } from './node.ts'
import { type Joined, PresenceCalls } from './presence-calls.ts'
import { decodeGrace, disconnectOperation, type Operation, operation } from './presence-operations.ts'
import { type Claim, PresenceRestorer } from './presence-restorer.ts'
import { PRESENCE_SCRIPT } from './presence-script/script.ts'
import { PresenceSessions } from './presence-sessions.ts'
import { Task, type TaskOptions } from './presence-task.ts'
import { PresenceTimers } from './presence-timers.ts'
import { parseStep, readRecord } from './record.ts'
import { RecordFollower } from './record-follower.ts'
import { RecordGiver } from './record-giver.ts'
import { Script } from './script.ts'

/** How long {@link RedisPresenceNode.close} waits for Redis, in milliseconds. */
const CLOSE_MS = 2_000

const US_PER_MS = 1_000
const NS_PER_US = 1_000n

/** The keys of presence, in the order in which its script takes them. All nodes of a namespace share them. */
export const PRESENCE_KEYS = ['presence', 'members', 'graces', 'leases', 'activity'] as const

/** The script that each call runs. */
export const SCRIPT = new Script(PRESENCE_SCRIPT)

/** How presence works. */
export interface RedisPresenceSettings {
  /** How many sessions a node restores in a second after Redis lost data. */
  readonly restoreRate: number
  /**
   * For tests: the time on the clock of Redis in microseconds. Nothing is done by itself then: call
   * {@link RedisPresenceNode.sweep} and {@link RedisPresenceNode.renew}.
   */
  readonly storeClock?: () => string
}

/** How presence works on a node. */
export interface PresenceSettings extends RedisPresenceSettings {
  /**
   * Settles when all nodes of this process have joined that were there before; undefined when they have. As without
   * Redis, they hear of what is done next.
   */
  readonly allJoined: () => Promise<unknown> | undefined
}

/** A session that this node has ended. */
interface Ended {
  describe(): RestorableSession
  readonly generation: number
}

/** A node as presence knows it: its calls to the script, and what happens around them. */
export class RedisPresenceNode {
  readonly connection: RedisConnection
  /** The key of the record. */
  readonly record: string
  readonly #handler: PresenceHandler
  readonly #node: RedisNode
  readonly #leave: () => Promise<void>
  readonly #isManual: boolean
  readonly #health: Health
  readonly #calls: PresenceCalls
  readonly #restorer: PresenceRestorer
  readonly #timers: PresenceTimers
  readonly #sessions = new PresenceSessions()
  readonly #follower: RecordFollower
  readonly #giver: RecordGiver | undefined
  readonly #clockCheck = new ClockCheck(clock)
  /** What this node has ended, and presence was not told of. */
  readonly #ending = new Map<Task, Ended>()
  readonly #joined: Promise<Joined | undefined>
  /** That of the namespace. Undefined until the node has joined. */
  secret: string | undefined
  #onJoined: (joined?: Joined) => void = () => {}
  #stopFollowing: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(handler: PresenceHandler, node: RedisNode, settings: PresenceSettings) {
    const { restoreRate, storeClock, allJoined } = settings
    const { connection, keys } = node
    const lease = node.lease.length
    this.connection = connection
    this.record = keys.of('activity')
    this.#handler = handler
    this.#node = node
    this.#isManual = storeClock !== undefined
    // What becomes of Redis is told by the calls of presence itself.
    this.#leave = node.attach(() => {})
    this.#joined = new Promise((resolve) => {
      this.#onJoined = resolve
    })
    this.#follower = new RecordFollower(handler, this.record)
    this.#health = new Health((status) => {
      if (!status.up) this.#calls.onOutage(status.error)
      handler.onStatus(status)
    })
    const add = (task: Task) => this.#calls.add(task)
    this.#restorer = new PresenceRestorer({
      rate: restoreRate,
      handler,
      generationOf: (of) => this.#sessions.generationOf(of),
      inGrace: () => this.#sessions.inGrace,
      storeTime: () => node.clock.now(),
      add,
      drop: (isDropped) => this.#calls.drop(isDropped),
      wake: () => this.#calls.wake(),
      isCallOpen: () => this.#calls.isOpen,
    })
    const { onRecord } = handler
    if (onRecord !== undefined) {
      this.#giver = new RecordGiver({
        lease,
        run: (of) => this.run(of),
        read: (after, count) => readRecord(connection, this.record, after, '+', count),
        take: onRecord,
      })
    }
    this.#timers = new PresenceTimers({
      lease,
      grace: Math.ceil(handler.grace),
      add,
      onSuperseded: (session) => handler.onSuperseded(session),
      onGracesOver: (time) => this.#sessions.gracesOver(time),
    })
    this.#calls = new PresenceCalls({
      node: handler.id,
      connection,
      script: SCRIPT,
      keys: PRESENCE_KEYS.map((name) => keys.of(name)),
      health: this.#health,
      lease,
      grace: Math.ceil(handler.grace),
      storeClock: storeClock ?? (() => ''),
      gate: allJoined,
      onEntries: (entries, task) => this.#take(entries, task),
      onJoined: (joined) => this.#begin(joined),
      onTime: (store, before, after) => this.#onTime(store, before, after),
      before: (task) => this.#restorer.before(task),
      more: (room) => this.#restorer.more(room),
    })
  }

  /** Settles when the node has joined for the first time, or is closed before it could. */
  get joined(): Promise<Joined | undefined> {
    return this.#joined
  }

  /** Whether sessions are being restored, which others may not find yet. */
  get isRestoring(): boolean {
    return this.#restorer.isActive
  }

  /** How long a session stays whose node is gone, in milliseconds. */
  get grace(): number {
    return this.#handler.grace
  }

  get sessions(): PresenceSessions {
    return this.#sessions
  }

  /** Carries a task out for which nobody waits. */
  add(task: Task): void {
    this.#calls.add(task)
  }

  /** Carries an operation out. @returns its answer, once this node was told what it did */
  async run(of: Operation, options?: TaskOptions): Promise<Reply> {
    const task = new Task(of, options)
    this.#calls.add(task)
    const answer = await task.answer
    if (task.stamp > 0 && this.#handler.activity === 'cluster') await this.#follower.reach(task.stamp)
    return answer
  }

  /**
   * Ends a connection. While Redis is away it is noted, and done later with the grace that is left.
   *
   * @param describe tells what the session was, so that it can be restored before its end is said
   */
  async disconnect(
    { uid, sid, connection }: SessionConnection,
    grace: number,
    describe?: () => RestorableSession,
  ): Promise<boolean> {
    const session = { uid, sid, connection }
    const start = performance.now()
    const graceLeft = () => (grace > 0 ? Math.max(1, grace - (performance.now() - start)) : 0)
    this.#restorer.ends(session)
    const task: Task = new Task(() => disconnectOperation(session, graceLeft()), {
      uid,
      isLasting: true,
      early: 1,
      onDone: (answer) => {
        this.#ending.delete(task)
        this.#restorer.ended(session)
        this.#sessions.ended(session)
        const inGrace = decodeGrace(session, answer)
        if (inGrace === undefined) return
        this.#sessions.graceBegan(inGrace)
        if (!this.#isManual) this.#timers.expect(Math.max(0, inGrace.deadline - this.#node.clock.now()))
      },
    })
    if (describe !== undefined) {
      this.#ending.set(task, { describe, generation: this.#sessions.generationOf(connection) })
    }
    this.#calls.add(task)
    return (await task.answer) !== 0
  }

  /** Tells the node of the changes of a room. @returns settles with a function that ends it, once it is told */
  async watch(rid: string): Promise<() => void> {
    const wasNeeded = this.#follower.isNeeded
    const stop = this.#follower.watch(rid)
    try {
      const stamp = Number(await this.run(operation('stamp'), { isRead: true }))
      if (!wasNeeded) this.#follower.begin(stamp)
    } catch (error) {
      stop()
      throw error
    }
    this.#follow()
    return () => {
      stop()
      this.#follow()
    }
  }

  /** Ends what is due now. */
  sweep(): Promise<void> {
    return this.#timers.sweep()
  }

  /** Renews the lease. */
  renew(): void {
    this.#timers.renew()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#timers.close()
    this.#restorer.close()
    this.#giver?.stop()
    const leave = async () => {
      while ((await this.run(operation('leaveCluster'))) === 1);
      await this.#giver?.finish()
    }
    // Nodes that cannot say that they leave have a lease that ends.
    if (this.secret !== undefined && this.#health.isUp)
      await withDeadline(leave(), CLOSE_MS, '').catch(() => {})
    this.#stopFollowing?.()
    this.#follower.close()
    this.#health.close()
    this.#calls.close()
    this.#onJoined()
    await this.#leave()
  }

  #onTime(store: number, before: number, after: number): void {
    this.#node.clock.observe(store / US_PER_MS, performance.now() - (after - before) / US_PER_MS)
    if (!this.#isManual) this.#clockCheck.onTime(store, before, after)
  }

  /** Takes what an operation of this node added to the record. */
  #take(entries: readonly string[], task: Task): void {
    for (const text of entries) {
      const { stamp, isOwn, events } = parseStep(text, () => false)
      clock.observe(BigInt(stamp) * NS_PER_US)
      task.stamp = stamp
      if (isOwn && this.#handler.activity === 'local' && events.length > 0) this.#handler.onActivity(events)
    }
  }

  #begin(joined: Joined): void {
    this.secret = joined.secret
    if (joined.isFirst) {
      if (!this.#isManual) this.#timers.start()
      this.#follower.begin(Number(joined.stamp))
      this.#follow()
      this.#giver?.start()
    } else if (joined.isLost || joined.isLate) {
      this.#restorer.begin(joined.isLost, this.#closed())
    }
    this.#onJoined(joined)
  }

  *#closed(): Iterable<Claim> {
    for (const { describe, generation } of this.#ending.values()) yield { session: describe(), generation }
  }

  /** Has the record read while it is needed. */
  #follow(): void {
    const { isNeeded } = this.#follower
    if (isNeeded && this.#stopFollowing === undefined) {
      this.#stopFollowing = this.#node.reader.follow(this.#follower)
    } else if (!isNeeded) {
      this.#stopFollowing?.()
      this.#stopFollowing = undefined
    }
  }
}
