/** @import { IncomingMessage, ServerResponse } from 'node:http' */
import { createServer, request } from 'node:http'

/**
 * Makes a proxy that gives each request to the next process, whoever sends it: nothing here is sticky. A real app has
 * nginx or a load balancer in this place.
 *
 * @param {readonly string[]} urls the addresses of the processes
 */
export function roundRobin(urls) {
  let next = 0
  return createServer((req, res) => {
    const url = urls[next % urls.length]
    next += 1
    forward(req, res, new URL(req.url ?? '/', url))
  })
}

/**
 * @param {IncomingMessage} req
 * @param {ServerResponse} res
 * @param {URL} url
 */
function forward(req, res, url) {
  const { method, headers } = req
  const upstream = request(url, { method, headers, agent: false })
  upstream.on('response', (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(res)
    // A stream that breaks on one side ends on the other.
    answer.on('error', () => res.destroy())
  })
  upstream.on('error', () => away(req, res))
  res.on('close', () => upstream.destroy())
  req.pipe(upstream)
}

/**
 * Answers when the process does not. An EventSource comes back after a stream that ends, but never after an error.
 *
 * @param {IncomingMessage} req
 * @param {ServerResponse} res
 */
function away(req, res) {
  if (res.headersSent) res.destroy()
  else if (req.headers.accept?.includes('text/event-stream')) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 1000\n\n')
  } else res.writeHead(503, { 'Retry-After': '1' }).end()
}
