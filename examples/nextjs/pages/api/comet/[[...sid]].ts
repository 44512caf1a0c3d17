import { cometHandler } from 'comet-sse/node'
import type { NextApiRequest } from 'next'
import { comet } from '../../../lib/realtime'

/**
 * The stream, GET /api/comet, and the packets of its pages, POST /api/comet/<sid>. This is an API route of the Pages
 * Router, because it gets the request and response of Node. A route handler of the App Router does not.
 */
export default cometHandler(comet, {
  path: '/api/comet',
  // Tells which user a request is from. This demo trusts the cookie. A real app checks its session here.
  identify: (req) => (req as NextApiRequest).cookies.name,
})

export const config = {
  api: {
    // The handler answers the request, also after it has returned.
    externalResolver: true,
  },
}
