import { encodeNone } from '../stream/sse.ts'
import { parseStayAwayToken } from './stay-away-token.ts'

/**
 * Makes the block that a stream begins with, whatever comes next: `comet.none`.
 *
 * @param position the position that the client brought. Undefined: it brought none
 * @returns undefined where the block cannot have that position. A stay-away token is none: it came with the last block
 *   of a stream, which was whole, and it must not be given again
 */
export function firstBlockFor(position: string | undefined): Buffer | undefined {
  if (position !== undefined && parseStayAwayToken(position) !== undefined) return undefined
  return encodeNone(position)
}
