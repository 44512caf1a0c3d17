import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import type { Node } from '../node/node.ts'
import type { Session } from '../session/session.ts'

/** Where a packet goes, and who sends it. */
export interface Sender {
  readonly sid: string
  readonly uid: string
  readonly anonymous: boolean
}

/**
 * Refuses a packet before its body is read, where this node can tell without asking another one: its session is here
 * and of another user, or this node issued the sid and there is no such session, not even in grace.
 *
 * A packet that passes is checked again when it is received.
 *
 * @throws CometError NO_SUCH_SESSION, NOT_YOUR_SESSION
 */
export async function checkSender(node: Node, sender: Sender): Promise<void> {
  const { sid } = sender
  const session = node.registry.get(sid)
  if (session !== undefined) {
    if (!isOwnedBy(session, sender)) throw new CometError('NOT_YOUR_SESSION')
    return
  }
  // A session of another issuer may be anonymous, and presence does not know of those.
  if (issuerOf(sid) !== node.id) return
  // It may be in grace, or on another node after a takeover.
  if (!(await mayBePresent(node, sid))) throw new CometError('NO_SUCH_SESSION')
}

/** An anonymous client has a different uid in each request, so any anonymous client that knows the sid is the owner. */
export function isOwnedBy(session: Session, { uid, anonymous }: Omit<Sender, 'sid'>): boolean {
  return session.anonymous ? anonymous : session.uid === uid
}

async function mayBePresent(node: Node, sid: string): Promise<boolean> {
  try {
    return (await node.presence.locate(sid)) !== undefined
  } catch (error) {
    debug('presence did not locate session %s: %j', sid, (error as Error).message)
    return true
  }
}
