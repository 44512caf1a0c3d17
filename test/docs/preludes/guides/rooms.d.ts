import type { Comet } from 'comet-sse'
import type { cometExpress as mount } from 'comet-sse/express'
import type { Express } from 'express'
import type {} from '../signed-in.d.ts'

export const comet: Comet
export const app: Express
export const cometExpress: typeof mount
export const banned: Set<string | undefined>
/** Shows the state of a room. */
export function show(rid: string, state: unknown): void
/** Sends a packet. */
export function send(packet: unknown): Promise<unknown>
