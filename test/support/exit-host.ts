import type { Server } from 'node:http'
import { adapters } from './http.ts'

/**
 * Run as a process of its own: `exit-host.ts <adapter>`. It says its port, and on SIGTERM closes the Comet and
 * the server as a host would; nothing else ends it.
 */
const adapter = adapters.find(({ name }) => name === process.argv[2])
if (adapter === undefined) throw new Error(`There is no adapter ${process.argv[2]}`)
const { comet, server, port } = await adapter.host()
process.once('SIGTERM', async () => {
  await comet.close()
  ;(server as Server).close()
})
process.stdout.write(String(port))
