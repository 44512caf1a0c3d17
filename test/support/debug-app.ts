import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { cometHandler } from '../../adapters/node.ts'
import { Comet, MemoryBroker } from '../../lib/index.ts'

/** Run as a process of its own, with `NODE_DEBUG=comet`: does once what diagnostics print a line about. */
const broker = new MemoryBroker()
const options = { broker, canEnter: () => false, offlineGrace: 0, commandTimeout: 50 }
const comet = new Comet(options)
const elsewhere = new Comet({ ...options, onMessage: () => new Promise(() => {}) })
const identify = (req: { url?: string | undefined }) =>
  new URLSearchParams(req.url?.split('?')[1]).get('u') ?? undefined
const serve = async (node: Comet) => {
  const server = http.createServer(cometHandler(node, { path: '/comet', identify }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/comet`
}
const url = await serve(comet)
const otherUrl = await serve(elsewhere)

const open = async (address: string, user: string, query = '') => {
  const response = await fetch(`${address}?u=${encodeURIComponent(user)}${query}`)
  const { value } = (await response.body?.getReader().read()) ?? {}
  return /"sid":"([^"]+)"/.exec(Buffer.from(value ?? '').toString())?.[1] ?? ''
}
const post = (address: string, sid: string, packet: object) =>
  fetch(`${address}/${sid}?u=alice`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(packet),
  })

const sid = await open(url, 'alice', '&lastEventId=made-up')
await open(url, 'x\u001b[31m')
await fetch(url)
await post(url, sid, { type: 'JOIN', join: { rid: 'den' } })
const other = await open(otherUrl, 'alice')
await post(url, other, { type: 'SEND', send: { evt: 'hi' } })
await comet.disconnect({ uid: 'alice' })
await comet.close({ drain: 100 })
await elsewhere.close({ drain: 100 })
process.exit()
