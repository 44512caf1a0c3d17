import { createClient } from 'redis'
import { stepsOf } from '../../adapters/redis/record.ts'
import { UserActivityEvent } from '../../lib/index.ts'
import type { Step, Transition } from './observations.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

const KINDS: Readonly<Record<string, UserActivityEvent.Type>> = {
  O: ONLINE,
  F: OFFLINE,
  E: ENTER_ROOM,
  L: LEAVE_ROOM,
}

/** Reads the record of a namespace: the stream `activity`, whose format `adapters/redis/record.ts` describes. */
export async function readRecord(redis: number, namespace = 'comet'): Promise<Step[]> {
  const client = createClient({ url: `redis://127.0.0.1:${redis}` }).on('error', () => {})
  await client.connect()
  try {
    const key = `comet:{${namespace}}:activity`
    const entries = (await client.sendCommand(['XRANGE', key, '-', '+'])) as unknown as [string, string[]][]
    return entries.flatMap(([id, fields]) => stepsOf(id, fields).map(toStep))
  } finally {
    client.destroy()
  }
}

function toStep(text: string): Step {
  const [stamp, , , flag, uid = '', , ...parts] = text.split('\0')
  const time = `${stamp}000`
  const transitions: Transition[] = []
  for (let at = 0; at + 3 < parts.length; at += 4) {
    const [kind = '', rid = ''] = parts.slice(at, at + 2)
    const type = KINDS[kind]
    if (type !== undefined) transitions.push({ type, uid, rid, time })
  }
  return { transitions, isSaid: flag === '' }
}
