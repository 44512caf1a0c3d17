import { comet } from './realtime'

// At these signals `next start` stops to take requests, and exits when all responses have ended. Streams are responses
// that do not end by themselves.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void comet.close({ drain: 2_000 }))
}
