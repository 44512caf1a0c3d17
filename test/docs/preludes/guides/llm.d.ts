import type { Request } from 'express'

export const randomUUID: typeof import('node:crypto').randomUUID
export const Comet: typeof import('comet-sse').Comet
export const cometExpress: typeof import('comet-sse/express').cometExpress
export const express: typeof import('express')
export const app: import('express').Express
export const comet: import('comet-sse').Comet
export const runs: Map<string, { uid: string; controller: AbortController }>
export const STORED_MS: number
export function identify(req: Request): string | undefined
export function fakeModel(question: string, signal: AbortSignal): AsyncIterable<string>
export const uid: string
export const run: string
// biome-ignore lint/suspicious/noExplicitAny: an example in plain JavaScript says no type of an element.
export function byId(id: string): any
export function say(text: string): void
export function end(text: string): void
export const MODEL: string
export const URL_OF_MODEL: string
// biome-ignore lint/suspicious/noExplicitAny: the clients of models are not installed here.
export const openai: any
// biome-ignore lint/suspicious/noExplicitAny: likewise.
export const anthropic: any
