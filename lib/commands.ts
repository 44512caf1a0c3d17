import { closeSession } from './close.ts'
import type { Command } from './controller.ts'
import { CometError } from './errors.ts'
import type { Hub } from './hub.ts'
import { ownerOf } from './ids.ts'
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
    case 'disconnect':
      return await disconnect(hub, known.target, known.options)
  }
}

async function disconnect(hub: Hub, target: SessionTarget, options: DisconnectOptions): Promise<number> {
  const kicked = Array.from(sessionsOf(hub, target), (session) =>
    closeSession(hub, session, { code: 'KICKED', ...options }),
  )
  return (await Promise.all(kicked)).filter(Boolean).length
}

function sessionsOf(hub: Hub, target: SessionTarget) {
  if ('uid' in target) return hub.registry.ofUser(target.uid)
  if ('rid' in target) return hub.registry.inRoom(target.rid)
  const session = hub.registry.get(target.sid)
  return session === undefined ? [] : [session]
}

/**
 * Has the node that owns a session carry out a command.
 *
 * @throws CometError NO_SUCH_SESSION, OWNER_UNREACHABLE, or what the owner threw
 */
export async function askOwner(hub: Hub, sid: string, command: HubCommand): Promise<unknown> {
  const owner = ownerOf(sid)
  if (owner === undefined) throw new CometError('NO_SUCH_SESSION')
  if (owner === hub.id) return await handleCommand(hub, command)
  return await hub.controller.request(owner, command, hub.options.commandTimeout)
}

/** Has every node carry out a command, this one first. */
export async function askAll(hub: Hub, command: HubCommand): Promise<unknown[]> {
  const own = handleCommand(hub, command)
  const others = hub.controller.broadcast(command, hub.options.commandTimeout)
  return [await own, ...(await others)]
}
