import type {
  Admission,
  GrantedBy,
  LocatedSession,
  MembershipAnswer,
  MembershipOwner,
  PresenceSession,
  RestorableSession,
  SessionConnection,
  SessionMembership,
} from '../../lib/ports/presence.ts'
import type { Reply } from './connection.ts'

// What the script of presence (presence-script/) takes and answers.

/** An operation of the script: its name, the number of its arguments, and these. */
export type Operation = readonly string[]

/** Makes an operation. */
export function operation(name: string, ...args: readonly string[]): Operation {
  return [name, String(args.length), ...args]
}

const GRANTS: readonly GrantedBy[] = ['identity', 'url', 'join', 'app']

function grantNumber(by: GrantedBy): string {
  return String(GRANTS.indexOf(by) + 1)
}

/** @returns undefined for 0: there is no membership */
export function grantOf(number: Reply | undefined): GrantedBy | undefined {
  return GRANTS[Number(number) - 1]
}

const flatMemberships = (rooms: readonly SessionMembership[]): string[] =>
  rooms.flatMap(({ rid, by }) => [rid, grantNumber(by)])

/** JSON never has a NUL, which separates what the record has of a step. */
export const encodeInfo = (info: unknown): string => JSON.stringify(info) ?? ''
/** Parses the info of a record. */
export const decodeInfo = (text: string): unknown => (text === '' ? undefined : JSON.parse(text))

const encodeNumber = (number: number | undefined): string => (number === undefined ? '' : String(number))

/** Makes the operation of a connect. */
export function connectOperation(session: PresenceSession, rooms: readonly SessionMembership[]): Operation {
  const { uid, connection, clientId = '', start = '', info, requestNumber } = session
  const page = [clientId, start, encodeInfo(info), encodeNumber(requestNumber)]
  return operation('Connect', uid, connection, ...page, ...flatMemberships(rooms))
}

/** What a connect did, besides its answer. */
export interface Connected {
  readonly admission: Admission
  /** How many takeovers the session has had. */
  readonly generation: number
  /** The number of the request of the connection that was taken over. */
  readonly previousNumber?: number | undefined
}

/** Reads the answer to {@link connectOperation}. @returns undefined when a later request of the page is connected */
export function decodeConnected(answer: Reply): Connected | undefined {
  if (answer === '') return undefined
  const texts = String(answer).split('\0')
  const [sid = '', generation] = texts
  const { rooms, memberships, end } = readRooms(texts, 2)
  const admission = { sid, rooms, memberships }
  if (end >= texts.length) return { admission, generation: Number(generation) }
  const [node = '', connection = '', start, live, number, ...held] = texts.slice(end, -1)
  const previous = { node, connection, start: start || undefined, rooms: held, connected: live === '1' }
  return {
    admission: { ...admission, previous },
    generation: Number(generation),
    previousNumber: number ? Number(number) : undefined,
  }
}

/** Reads rooms and grants by turns, then rooms, each to an empty text. */
function readRooms(texts: readonly string[], from: number) {
  const rooms: SessionMembership[] = []
  let at = from
  for (; texts[at]; at += 2) {
    const by = grantOf(Number(texts[at + 1]))
    if (by !== undefined) rooms.push({ rid: texts[at] as string, by })
  }
  const memberships: string[] = []
  for (at += 1; texts[at]; at += 1) memberships.push(texts[at] as string)
  return { rooms, memberships, end: at + 1 }
}

/** Makes the operation of an end. @param grace in milliseconds */
export function disconnectOperation({ uid, sid, connection }: SessionConnection, grace: number): Operation {
  return operation('Disconnect', uid, sid, connection, String(Math.ceil(grace)))
}

/** A session that is in grace, and what presence knows of it. */
export interface SessionInGrace {
  readonly session: RestorableSession
  readonly generation: number
  /** The end of the grace, in milliseconds on the clock of Redis. */
  readonly deadline: number
}

/** @returns undefined when no grace began */
export function decodeGrace(
  { uid, sid, connection }: SessionConnection,
  answer: Reply,
): SessionInGrace | undefined {
  if (typeof answer !== 'string') return undefined
  const texts = answer.split('\0')
  const [deadline, clientId, start, generation, info = ''] = texts
  const { rooms, memberships } = readRooms(texts, 5)
  const session: RestorableSession = {
    uid,
    sid,
    connection,
    clientId: clientId || undefined,
    start: start || undefined,
    info: decodeInfo(info),
    rooms,
    memberships,
  }
  return { session, generation: Number(generation), deadline: Number(deadline) }
}

/** Takes a connect back. @param grace of the session that it took over, if that was in grace */
export function undoOperation(
  { uid, connection }: PresenceSession,
  { admission: { sid, previous }, previousNumber }: Connected,
  grace: number,
): Operation {
  if (previous === undefined) return disconnectOperation({ uid, sid, connection }, 0)
  const { node, connection: former, start = '', connected, rooms } = previous
  const state = [node, former, start, connected ? '1' : '0', encodeNumber(previousNumber)]
  return operation('Undo', uid, sid, connection, String(Math.ceil(grace)), ...state, ...rooms)
}

/**
 * @param grace the milliseconds that are left of its grace. Undefined: it is live
 * @param lost whether the store lost data: what was said of the session is not said again then
 */
export function restoreOperation(
  session: RestorableSession,
  generation: number,
  grace: number | undefined,
  lost: boolean,
): Operation {
  const { uid, sid, connection, clientId = '', start = '', info, requestNumber, rooms, memberships } = session
  return operation(
    'Restore',
    ...[
      uid,
      sid,
      connection,
      clientId,
      start,
      encodeInfo(info),
      encodeNumber(requestNumber),
      String(generation),
    ],
    ...[grace === undefined ? '-1' : String(Math.max(0, Math.ceil(grace))), lost ? '1' : '0'],
    ...[String(rooms.length), ...flatMemberships(rooms), ...memberships],
  )
}

const ownerArguments = (owner: MembershipOwner): string[] =>
  owner.sid === undefined ? [owner.uid, '', ''] : [owner.uid, owner.sid, owner.connection]

/** Makes the operation of a membership that begins. */
export function enterOperation(owner: MembershipOwner, rid: string, by: GrantedBy): Operation {
  return operation('Enter', ...ownerArguments(owner), rid, grantNumber(by))
}

/** Makes the operation of a membership that ends. */
export function leaveOperation(owner: MembershipOwner, rid: string): Operation {
  return operation('Leave', ...ownerArguments(owner), rid)
}

/** Makes the operation that asks for a membership. */
export function membershipOperation(owner: MembershipOwner, rid: string): Operation {
  return operation('Membership', ...ownerArguments(owner), rid)
}

/** Reads the answer to {@link enterOperation} and {@link leaveOperation}. */
export function decodeMembership(answer: Reply): MembershipAnswer {
  const [done, nodes] = answer as [number, readonly string[]]
  return { done: done === 1, nodes }
}

/** Reads where a session is. */
export function decodeLocated(answer: Reply): LocatedSession | undefined {
  const [uid, node, connection, live] = answer as [string?, string?, string?, number?]
  if (uid === undefined || node === undefined || connection === undefined) return undefined
  return { uid, node, connection, connected: live === 1 }
}

/** @returns rooms in the order in which the user entered them */
export function decodeRooms(answer: Reply): string[] {
  const flat = answer as readonly Reply[]
  const rooms: { readonly rid: string; readonly order: number }[] = []
  for (let at = 0; at + 1 < flat.length; at += 2) {
    rooms.push({ rid: String(flat[at]), order: Number(flat[at + 1]) })
  }
  return rooms.sort((a, b) => a.order - b.order).map(({ rid }) => rid)
}
