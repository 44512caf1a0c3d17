import { CometError, isCometError } from '../errors.ts'
import { ownerOf } from '../ids.ts'
import type { Hub } from '../node/node.ts'
import type { Command } from '../ports/controller.ts'
import type { Session } from '../session/session.ts'
import type { Marked } from '../session/stay-away-token.ts'
import { closeSession, replaceSession, type Superseded } from './close.ts'
import { enterRoom, leaveRoom } from './rooms.ts'
import { receive, type Uplink } from './uplink.ts'

/** Whose sessions are meant: one, a user's, or all in a room. */
export type SessionTarget = { readonly sid: string } | { readonly uid: string } | { readonly rid: string }

/** What a kicked client is told. */
export interface DisconnectOptions {
  /** Said to the client in `comet.close`. Default: a general text. */
  readonly reason?: string
  /** Whether the client should come back by itself. Default: false. */
  readonly reconnect?: boolean
}

/** What nodes ask of each other: of the one that owns a session, or of all. */
type HubCommand =
  | { readonly type: 'uplink'; readonly uplink: Uplink }
  | { readonly type: 'enter' | 'leave'; readonly sid: string; readonly rid: string }
  | { readonly type: 'enterUser' | 'leaveUser'; readonly uid: string; readonly rid: string }
  | { readonly type: 'replace'; readonly superseded: Superseded }
  | { readonly type: 'verify'; readonly mark: string; readonly marked: Marked }
  | { readonly type: 'serves'; readonly marked: Marked }
  | { readonly type: 'disconnect'; readonly target: SessionTarget; readonly options: DisconnectOptions }

/** Carries out a command on this node. The answer is JSON. */
export async function handleCommand(hub: Hub, command: Command): Promise<unknown> {
  const known = command as HubCommand
  switch (known.type) {
    case 'uplink':
      return (await receive(hub, known.uplink)) ?? null
    case 'enter':
    case 'leave': {
      const session = hub.registry.get(known.sid)
      if (session === undefined) return false
      return await (known.type === 'enter' ? enterRoom : leaveRoom)(hub, session, known.rid)
    }
    case 'enterUser':
      return hub.registry.enterUser(known.uid, known.rid)
    case 'leaveUser':
      return hub.registry.leaveUser(known.uid, known.rid)
    case 'replace':
      return replaceSession(hub, known.superseded)
    case 'verify':
      return hub.marks.verify(known.mark, known.marked)
    case 'serves':
      return serves(hub, known.marked)
    case 'disconnect':
      return await disconnect(hub, known.target, known.options)
  }
}

/** Whether a page is connected to this node. */
function serves({ registry }: Hub, { uid, clientId }: Marked): boolean {
  for (const session of registry.ofUser(uid)) if (session.clientId === clientId && !session.lost) return true
  return false
}

async function disconnect(hub: Hub, target: SessionTarget, options: DisconnectOptions): Promise<number> {
  const kicked = Array.from(sessionsOf(hub, target), (session) =>
    closeSession(hub, session, { code: 'KICKED', ...options }),
  )
  return (await Promise.all(kicked)).filter(Boolean).length
}

function* sessionsOf(hub: Hub, target: SessionTarget): Iterable<Session> {
  if ('uid' in target) {
    yield* hub.registry.ofUser(target.uid)
    // Who was identified before, and is not let in yet, must not slip through.
    for (const session of hub.arrivals) if (session.uid === target.uid && !session.lost) yield session
  } else if ('rid' in target) {
    yield* hub.registry.inRoom(target.rid)
  } else {
    const session = hub.registry.get(target.sid)
    if (session !== undefined) yield session
  }
}

/** Has a node carry out a command. @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what it threw */
export async function askNode(hub: Hub, node: string, command: HubCommand): Promise<unknown> {
  if (node === hub.id) return await handleCommand(hub, command)
  return await hub.controller.request(node, command, hub.options.commandTimeout)
}

/**
 * Has the node that made a sid carry out a command.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what the owner threw
 */
export async function askOwner(hub: Hub, sid: string, command: HubCommand): Promise<unknown> {
  const maker = ownerOf(sid)
  if (maker === undefined) throw new CometError('NO_SUCH_SESSION')
  return await askNode(hub, maker, command)
}

/**
 * Has the node carry out a command that a session is on. Mostly that is the one that made its sid; after a
 * takeover presence knows.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what that node threw
 */
export async function askHome(hub: Hub, sid: string, command: HubCommand): Promise<unknown> {
  if (hub.registry.get(sid) !== undefined) return await handleCommand(hub, command)
  if (ownerOf(sid) === undefined) throw new CometError('NO_SUCH_SESSION')
  const home = (await hub.presence.locate(sid)) ?? ownerOf(sid)
  return await askNode(hub, home as string, command)
}

/** Has every node carry out a command, this one first. */
export async function askAll(hub: Hub, command: HubCommand): Promise<unknown[]> {
  const own = handleCommand(hub, command)
  const others = hub.controller.broadcast(command, hub.options.commandTimeout)
  return [await own, ...(await others)]
}

/** Has the session's node put it into a room or take it out. @returns false when there is no such session */
export async function askSession(
  hub: Hub,
  command: { readonly type: 'enter' | 'leave'; readonly sid: string; readonly rid: string },
): Promise<boolean> {
  return (await askHome(hub, command.sid, command).catch(noSession(false))) === true
}

/** Disconnects sessions on all nodes, those in grace among them. @returns how many streams were ended */
export async function disconnectAll(
  hub: Hub,
  target: SessionTarget,
  options: DisconnectOptions,
): Promise<number> {
  const command = { type: 'disconnect', target, options } as const
  const counts =
    'sid' in target
      ? [await askHome(hub, target.sid, command).catch(noSession(0))]
      : await askAll(hub, command)
  await hub.presence.endGrace(target)
  return counts.reduce<number>((sum, count) => sum + Number(count), 0)
}

/** For a session that is gone, the host gets an answer rather than an error. */
function noSession<T>(answer: T): (error: unknown) => T {
  return (error) => {
    if (isCometError(error) && error.code === 'NO_SUCH_SESSION') return answer
    throw error
  }
}
