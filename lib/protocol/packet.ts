import type { CometErrorCode } from '../error-table.ts'
import { kindOf } from '../util/kind-of.ts'
import { invalid, stringField } from './json.ts'

/**
 * A packet as a page writes it: the JSON body of `POST <mount>/<sid>`.
 *
 * @example
 * const packet: ClientPacket = { type: 'JOIN', join: { rid: 'lobby' } }
 * fetch(`/comet/${sid}`, {
 *   method: 'POST',
 *   headers: { 'Content-Type': 'application/json' },
 *   body: JSON.stringify(packet),
 * })
 */
export type ClientPacket =
  | { readonly type: 'HB' }
  | {
      readonly type: 'JOIN'
      readonly join: { readonly rid: string; readonly recent?: number; readonly since?: string }
    }
  | { readonly type: 'LEAVE'; readonly leave: { readonly rid: string } }
  | { readonly type: 'SEND'; readonly send: { readonly evt: string; readonly id?: string } }
  | { readonly type: 'BYE'; readonly bye?: { readonly connection: string } }

/** The JSON body of an answer with an error status. */
export interface ErrorAnswer {
  readonly error: { readonly code: CometErrorCode; readonly message: string }
}

/** A checked packet: what a client sends in the body of a POST. */
export type Packet =
  | { readonly type: 'HB' }
  | { readonly type: 'JOIN'; readonly rid: string; readonly since: string; readonly recent: number }
  | { readonly type: 'LEAVE'; readonly rid: string }
  | { readonly type: 'SEND'; readonly evt: string; readonly id: string }
  | { readonly type: 'BYE'; readonly connection: string }

/** The packet types that the Go service's JSON may give as a number (protocol: enum values). */
const NUMBERS: Record<number, string> = { 0: 'HB', 2: 'JOIN' }

/**
 * Checks a packet that was parsed from JSON: `{"type":"HB"}`, `{"type":"JOIN","join":{"rid":"r1"}}`,
 * `{"type":"LEAVE","leave":{"rid":"r1"}}`, `{"type":"SEND","send":{"evt":"hi","id":"1"}}`,
 * `{"type":"BYE","bye":{"connection":"c1"}}` or `{"type":"BYE"}`. A missing type means HB. Ignores unknown fields.
 *
 * @throws CometError INVALID_FIELD
 */
export function parsePacket(value: unknown): Packet {
  const packet = objectAt('the packet', value)
  const given = packet.type ?? 0
  const type: unknown = typeof given === 'number' ? NUMBERS[given] : given
  switch (type) {
    case 'HB':
      return { type }
    case 'BYE':
      return { type, connection: stringField(bodyOf(packet, type), 'connection') }
    case 'JOIN': {
      const body = bodyOf(packet, type)
      const recent = body.members.recent ?? 0
      if (!Number.isSafeInteger(recent) || (recent as number) < 0) {
        throw invalid('join.recent', 'must be a whole number, 0 or more')
      }
      return {
        type,
        rid: roomOf(body),
        since: stringField(body, 'since'),
        recent: recent as number,
      }
    }
    case 'LEAVE':
      return { type, rid: roomOf(bodyOf(packet, type)) }
    case 'SEND': {
      const body = bodyOf(packet, type)
      if (typeof body.members.evt !== 'string') {
        throw invalid('send.evt', `must be a string, not ${kindOf(body.members.evt)}`)
      }
      return { type, evt: body.members.evt, id: stringField(body, 'id') }
    }
    default:
      throw invalid('type', 'must be HB, JOIN, LEAVE, SEND or BYE')
  }
}

/** Reads the room, which must be present: JSON drops an undefined `rid`, which must not mean to leave all rooms. */
function roomOf({ what, members }: ReturnType<typeof bodyOf>): string {
  if (typeof members.rid === 'string') return members.rid
  throw invalid(`${what}.rid`, `must be a string, not ${kindOf(members.rid)}`)
}

/** Finds the object with a packet's fields, which is named after its type in lower case. */
function bodyOf(packet: Record<string, unknown>, type: string) {
  const what = type.toLowerCase()
  return { what, members: objectAt(what, packet[what] ?? {}) }
}

function objectAt(name: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(name, `must be a JSON object, not ${kindOf(value)}`)
  }
  return value as Record<string, unknown>
}
