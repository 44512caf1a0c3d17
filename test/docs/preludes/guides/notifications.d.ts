import type { Comet } from 'comet-sse'

export const comet: Comet
export const db: { read(uid: string): Promise<{ version: number; unread: { id: number; text: string }[] }> }
