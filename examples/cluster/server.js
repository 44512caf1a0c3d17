// Three processes of the chat, one Redis, and a proxy that gives each request to the next process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { outputOf } from './output.js'
import { roundRobin } from './proxy.js'
import { startRedis } from './redis-server.js'

const PROCESSES = 3
const { PORT = '3000', HOST = '127.0.0.1', REDIS_URL } = process.env
const CHAT = fileURLToPath(new URL('../chat/server.js', import.meta.url))

/** What ends at the end, the last one first. @type {(() => Promise<void>)[]} */
const ends = []
let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    if (isEnding) return
    isEnding = true
    for (const end of ends.reverse()) await end()
    process.exit()
  })
}

let redisUrl = REDIS_URL
if (redisUrl === undefined) {
  const redis = await startRedis()
  ends.push(redis.stop)
  redisUrl = redis.url
}

const chats = Array.from({ length: PROCESSES }, () => {
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', REDIS_URL: redisUrl }
  return spawn(process.execPath, [CHAT], { env, stdio: ['ignore', 'pipe', 'inherit'] })
})
// The chats end their streams, all at the same time. They may have got the signal of the terminal themselves.
ends.push(async () => {
  await Promise.all(
    chats.map(async (chat) => {
      if (chat.exitCode !== null || chat.signalCode !== null) return
      chat.kill('SIGTERM')
      await once(chat, 'exit')
    }),
  )
})
const found = await Promise.all(chats.map((chat) => outputOf(chat.stdout, /^Chat: (\S+)/m)))
const urls = found.map(([, url = '']) => url)

const proxy = roundRobin(urls).listen(Number(PORT), HOST)
await once(proxy, 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address())
console.log(`Cluster: http://${HOST}:${port}`)
for (const url of urls) console.log(`  a process of it: ${url}`)
