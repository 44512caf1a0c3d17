import { randomBytes } from 'node:crypto'

/** Makes a node's id. It is random and never a host name, because clients see it in their sid. */
export function newNodeId(): string {
  return randomBytes(8).toString('base64url')
}

/** The length of a secret in base64url characters: 132 bits. */
const SECRET_LENGTH = 22

/** The bytes for 256 secrets (three bytes make four characters). Asking the system for random bytes takes longest. */
const POOL_BYTES = (256 * SECRET_LENGTH * 3) / 4
let pool = ''
let used = 0

/** Makes a text that nobody can guess. */
export function newSecret(): string {
  if (used === pool.length) {
    pool = randomBytes(POOL_BYTES).toString('base64url')
    used = 0
  }
  used += SECRET_LENGTH
  return pool.slice(used - SECRET_LENGTH, used)
}

/** Makes a session's id. It names the node that issued it, so that packets may arrive at any node. */
export function newSid(nodeId: string): string {
  return `${nodeId}.${newSecret()}`
}

const SID = /^([\w-]{11})\.[\w-]{22}$/

/**
 * Finds the node that issued a sid. After a takeover another node may own the session.
 *
 * @returns undefined for a text that is no sid
 */
export function issuerOf(sid: string): string | undefined {
  return SID.exec(sid)?.[1]
}
