import { setTimeout as sleep } from 'node:timers/promises'
import { StreamReader } from './stream-reader.ts'

/**
 * Run as a process of its own, with an IPC channel: `half-open-client.ts <address> <port> <query> <distance>`. It
 * answers heartbeats when the query has `hb=1`, each after `distance` milliseconds, like a client far away. It sends
 * `ready`, and `alive` for every answer that was accepted. It ends with its parent.
 */
const [address = '', port = '', query = '', distance = ''] = process.argv.slice(2)
process.once('disconnect', () => process.exit())
const reader = new StreamReader(Number(port), query, { address })
await reader.ready()
process.send?.('ready')
if (query.includes('hb=1')) {
  const url = `http://${address}:${port}/comet/${reader.control('ready').sid}?${query}`
  for (let beats = 1; ; beats += 1) {
    const count = beats
    await reader.until(({ controls }) => controls.filter(isHeartbeat).length >= count, 'a heartbeat')
    await sleep(Number(distance))
    const headers = { 'Content-Type': 'application/json' }
    const { status } = await fetch(url, { method: 'POST', headers, body: '{"type":"HB"}' })
    if (status !== 204) throw new Error(`HB was answered with ${status}`)
    process.send?.('alive')
  }
}

function isHeartbeat({ name }: { readonly name: string }): boolean {
  return name === 'comet.heartbeat'
}
