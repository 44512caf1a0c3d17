import type Router from '@koa/router'
import type { Comet } from 'comet-sse'
import type { SignedInApp } from './signed-in.d.ts'

export const comet: Comet
export const app: SignedInApp
export const router: Router
