/**
 * The packages in bench/package.json. Their types are `any`, so that `tsc -p bench` gives the same result whether they
 * are installed or not: `npm run types` does not need them.
 */
declare module '@boringnode/transmit'
declare module '@fastify/sse'
declare module '@socket.io/redis-adapter'
declare module '@socket.io/redis-streams-adapter'
declare module 'better-sse'
declare module 'express-sse'
declare module 'fastify'
declare module 'socket.io'
declare module 'ws'
