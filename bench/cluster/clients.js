import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'

/** @param {number} port */
export function connectRedis(port) {
  return new Redis({ port, host: '127.0.0.1' })
}

/** @param {number} port */
export function connectNats(port) {
  return connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 })
}
