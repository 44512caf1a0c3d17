import type { Comet } from 'comet-sse'
import type { cometExpress as mount } from 'comet-sse/express'
import type { Express as App } from 'express'
import type {} from '../signed-in.d.ts'

declare module 'express-session' {
  interface SessionData {
    login: string
  }
}

declare global {
  namespace Express {
    interface User {
      id: string
    }
  }
}

export const app: App
export const comet: Comet
export const cometExpress: typeof mount
/** The key that the tokens are signed with. */
export const key: Uint8Array
export const db: { ban(uid: string): Promise<void>; isBanned(uid: string): Promise<boolean> }
