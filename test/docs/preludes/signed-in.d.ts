import type { NextFunction, Request, Response } from 'express'
import type {} from 'express-session'
import type {} from 'passport'

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

/** A request behind a middleware that lets only users pass that are signed in. */
export type SignedInRequest = Request & {
  readonly session: { readonly userId: string }
  readonly user: { readonly id: string }
}

/** An Express app, or a router, behind such a middleware. */
export interface SignedInApp {
  get(path: string, ...handlers: Handler[]): void
  post(path: string, ...handlers: Handler[]): void
}

type Handler = (req: SignedInRequest, res: Response, next: NextFunction) => unknown
