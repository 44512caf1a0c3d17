import { setTimeout as sleep } from 'node:timers/promises'
import { Reader } from './bounds.ts'

/** The answer of a client far away comes late: its silence does not begin with a heartbeat. */
const DISTANCE_MS = 400

/**
 * Run as a process of its own, with an IPC channel: `half-open-client.ts <address> <port> <query>`. It answers
 * heartbeats when the query has `hb=1`. It says `ready`, and `heard` for every answer that was taken. It ends with its
 * parent.
 */
const [address = '', port = '', query = ''] = process.argv.slice(2)
process.once('disconnect', () => process.exit())
const reader = new Reader(Number(port), query, { address })
await reader.ready()
process.send?.('ready')
if (query.includes('hb=1')) {
  const url = `http://${address}:${port}/comet/${reader.control('ready').sid}?${query}`
  for (let beats = 1; ; beats += 1) {
    const count = beats
    await reader.until(({ controls }) => controls.filter(isHeartbeat).length >= count, 'a heartbeat')
    await sleep(DISTANCE_MS)
    const headers = { 'Content-Type': 'application/json' }
    const { status } = await fetch(url, { method: 'POST', headers, body: '{"type":"HB"}' })
    if (status !== 204) throw new Error(`HB was answered with ${status}`)
    process.send?.('heard')
  }
}

function isHeartbeat({ name }: { readonly name: string }): boolean {
  return name === 'comet.heartbeat'
}
