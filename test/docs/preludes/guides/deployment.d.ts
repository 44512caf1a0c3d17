import type { Server } from 'node:http'
import type { Comet } from 'comet-sse'
import type { Express, Request } from 'express'

export const app: Express
export const comet: Comet
export const server: Server
export function identify(req: Request): string | undefined
