import type { Server } from 'node:http'
import { adapters, startApp } from './apps.ts'

/**
 * Run as a process of its own. It starts an app of every adapter and prints their ports by name, as JSON. On SIGTERM it
 * closes each Comet and its server, as an app would; nothing else ends it.
 */
const started = await Promise.all(adapters.map((adapter) => startApp(adapter)))
process.once('SIGTERM', async () => {
  for (const { comet, server } of started) {
    await comet.close()
    ;(server as Server).close()
  }
})
const ports = started.map(({ port }, index) => [adapters[index]?.name, port])
process.stdout.write(JSON.stringify(Object.fromEntries(ports)))
