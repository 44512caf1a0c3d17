/// <reference path="../uninstalled-frameworks.d.ts" />
import type { Comet } from 'comet-sse'
import type {} from '../signed-in.d.ts'

/** The events of the app. */
export interface Events {
  shipped: { id: string }
}
export interface Order {
  readonly id: string
  readonly userId: string
}
export declare class AppModule {}
export function canEnter(request: { readonly uid: string; readonly rid: string }): boolean
export const comet: Comet<Events>
export function identify(req: { readonly url?: string | undefined }): string | undefined
export function sessionOf(cookies: object): { readonly userId: string } | undefined
export function userOf(cookie: string | undefined): string | undefined
// biome-ignore lint/suspicious/noExplicitAny: the app of Fastify, or of Hono.
export const app: any
