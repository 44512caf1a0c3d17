import type { Express, Request, Response } from 'express'
import type { BetterSession, Channel, ExpressSse, Io } from '../other-libraries.d.ts'

export const app: Express
export const author: string
export const text: string
export const prices: Readonly<Record<string, number>>
export const token: string
export function mayRead(uid: string, room: string): boolean
export function show(from: string, text: string): void
export function unreadOf(uid: string): Promise<number>
export function userOf(req: Request): Promise<{ readonly id: string } | undefined>
export function userOfToken(token: unknown): Promise<{ readonly id: string } | undefined>

// Of the other libraries:
export const io: Io
export function createChannel(): Channel
export function createSession(
  req: Request,
  res: Response,
  options?: { readonly state?: object },
): Promise<BetterSession>
export const SSE: new (initial: unknown) => ExpressSse
