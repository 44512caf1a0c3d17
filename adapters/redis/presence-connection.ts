import { CometError } from '../../lib/errors.ts'
import type {
  Admission,
  GraceTarget,
  PresenceConnection,
  PresenceSession,
  SessionMembership,
} from '../../lib/ports/presence.ts'
import type { Reply } from './connection.ts'
import { MembersReader } from './presence-members.ts'
import type { RedisPresenceNode } from './presence-node.ts'
import {
  connectOperation,
  decodeConnected,
  decodeLocated,
  decodeMembership,
  decodeRooms,
  encodeInfo,
  enterOperation,
  grantOf,
  leaveOperation,
  membershipOperation,
  type Operation,
  operation,
  undoOperation,
} from './presence-operations.ts'
import { Task } from './presence-task.ts'

/**
 * The port of a node: each method is an operation of the script, or some slices of one that touches much. The methods can
 * be taken off the object.
 */
export function presenceConnection(node: RedisPresenceNode): PresenceConnection {
  const read = (of: Operation, uid?: string): Promise<Reply> => node.run(of, { uid, isRead: true })
  const members = new MembersReader(read, node.connection, node.record)
  return {
    connect: async (session, rooms) => await connect(node, session, rooms),
    disconnect: (session, grace, describe) => node.disconnect(session, grace, describe),
    endGrace: async (target) => await endGrace(node, target),
    enter: async (owner, rid, by) =>
      decodeMembership(await node.run(enterOperation(owner, rid, by), { uid: owner.uid })),
    leave: async (owner, rid) =>
      decodeMembership(await node.run(leaveOperation(owner, rid), { uid: owner.uid })),
    setInfo: async (uid, info) =>
      (await node.run(operation('SetInfo', uid, encodeInfo(info)), { uid })) === 1,
    membership: async (owner, rid) => grantOf(await read(membershipOperation(owner, rid), owner.uid)),
    heard: async (uid, time) => {
      await node.run(operation('heard', uid, String((time + 999n) / 1_000n)))
    },
    locate: async (sid) => decodeLocated(await node.run(operation('locate', sid), { sid, isRead: true })),
    nodesOf: async (target) => await nodesOf(read, target),
    serves: async (uid, clientId) => (await read(operation('Serves', uid, clientId), uid)) === 1,
    isOnline: async (uid) => (await read(operation('isOnline', uid), uid)) === 1,
    roomsOf: async (uid) => decodeRooms(await read(operation('RoomsOf', uid), uid)),
    members: (rid, page) => (page === undefined ? members.all(rid) : members.page(rid, page)),
    count: async (rid) => Number(await read(operation('count', rid))),
    watch: (rid) => node.watch(rid),
    secret: async () => await secretOf(node),
    close: () => node.close(),
  }
}

async function connect(
  node: RedisPresenceNode,
  session: PresenceSession,
  rooms: readonly SessionMembership[],
): Promise<Admission | undefined> {
  const { uid, connection } = session
  const answer = await node.run(connectOperation(session, rooms), {
    uid,
    onDone: (done, isAwaited) => {
      const connected = decodeConnected(done)
      if (connected === undefined) return
      if (isAwaited) node.sessions.connected(connection, connected)
      // Its caller was told that it failed, so that nobody would ever end it.
      else node.add(new Task(undoOperation(session, connected, node.grace), { isLasting: true }))
    },
  })
  return decodeConnected(answer)?.admission
}

async function secretOf(node: RedisPresenceNode): Promise<string> {
  await node.joined
  if (node.secret === undefined) throw new CometError('SHUTTING_DOWN', 'The Comet is closed.')
  return node.secret
}

async function endGrace(node: RedisPresenceNode, target: GraceTarget): Promise<void> {
  if ('uid' in target) {
    const { uid } = target
    await node.run(operation('EndGraceOfUser', uid), { uid })
  } else if ('sid' in target) {
    const { sid } = target
    await node.run(operation('endGraceOfSession', sid), { sid })
  } else {
    for (let last = ''; ; ) {
      last = String(await node.run(operation('endGraceOfRoom', target.rid, last)))
      if (last === '') return
    }
  }
}

async function nodesOf(
  read: (of: Operation, uid?: string) => Promise<Reply>,
  target: { readonly uid: string } | { readonly rid: string },
): Promise<readonly string[]> {
  if ('uid' in target) {
    return (await read(operation('NodesOfUser', target.uid), target.uid)) as readonly string[]
  }
  const found = new Set<string>()
  for (let last = ''; ; ) {
    const slice = await read(operation('nodesOfRoom', target.rid, last))
    const [next, most, ...nodes] = slice as [string, number, ...string[]]
    for (const node of nodes) found.add(node)
    if (next === '' || found.size >= most) return Array.from(found)
    last = next
  }
}
