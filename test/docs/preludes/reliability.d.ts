import type { Server } from 'node:http'
import type { Comet } from 'comet-sse'
import type { SignedInApp } from './signed-in.d.ts'

export const comet: Comet
export const app: SignedInApp
export const server: Server
/** What the page was rendered with. */
export const position: string
export function readNotices(uid: string): Promise<readonly unknown[]>
