import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuOf, freePort } from '../programs.js'
import { ROOM_SIZE } from './http.js'

/** @typedef {import('../types.js').Contender} Contender */

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

/** @param {number} port @param {string} folder */
const configuration = (port, folder) => `
load_module ${MODULE};
daemon off;
user root;
master_process off;
worker_processes 1;
worker_rlimit_nofile 40000;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 30000; }
http {
  access_log off;
  server {
    listen 127.0.0.1:${port} backlog=16384;
    keepalive_requests 100000000;
    location = /events { nchan_subscriber eventsource; nchan_channel_id $arg_c; }
    location = /publish { nchan_publisher; nchan_channel_id $arg_c; nchan_message_buffer_length 100; }
  }
}
`

/** @type {Contender} */
const nginx = {
  title: 'nginx with nchan',
  path(client, kind) {
    if (kind === 'fanout') return '/events?c=world'
    return `/events?c=${kind === 'rooms' ? Math.floor(client / ROOM_SIZE) : client}`
  },
  async start() {
    const folder = mkdtempSync(join(tmpdir(), 'comet-bench-'))
    const port = await freePort()
    writeFileSync(join(folder, 'nginx.conf'), configuration(port, folder))
    const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    /** @param {string} text @param {number | string} channel */
    const post = (text, channel) =>
      new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', agent, method: 'POST', path: `/publish?c=${channel}` }
        const req = http.request(options, (res) => res.resume().on('end', () => resolve(res.statusCode)))
        req.on('error', reject).end(text)
      })
    for (let tries = 0; ; tries += 1) {
      const up = await post('', 'none').then(
        () => true,
        () => false,
      )
      if (up) break
      if (tries > 50) throw new Error(`nginx does not answer: ${readFileSync(join(folder, 'error.log'))}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return {
      port,
      publish: (text, target = undefined) => post(text, target ?? 'world'),
      usage() {
        const pages = Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1])
        return { cpu: cpuOf(child.pid), rss: pages * 4_096, heap: 0 }
      },
      close() {
        child.kill('SIGKILL')
        agent.destroy()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

function isInstalled() {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return existsSync(MODULE)
  } catch {
    return false
  }
}

/** @type {Record<string, Contender>} Empty when nginx or its module is not installed. */
export const nchan = isInstalled() ? { nchan: nginx } : {}
