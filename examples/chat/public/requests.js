/** The requests of the page to the server. */

const PATIENCE_MS = 10_000

/** The server answered with an error status. */
export class Refused extends Error {}

/**
 * @param {string} path
 * @param {Record<string, string>} query
 */
export function urlOf(path, query) {
  return `${path}?${new URLSearchParams(query)}`
}

/** Makes a random id. Not by `crypto.randomUUID`, which exists only on pages from localhost or over HTTPS. */
export function newId() {
  return crypto.getRandomValues(new Uint32Array(4)).join('-')
}

/** @param {string} url */
export async function get(url) {
  return await (await request(url, { cache: 'no-store' })).json()
}

/**
 * @param {string} url
 * @param {object} content
 */
export async function post(url, content) {
  const headers = { 'Content-Type': 'application/json' }
  await request(url, { method: 'POST', headers, body: JSON.stringify(content) })
}

/**
 * @param {string} url
 * @param {RequestInit} init
 */
async function request(url, init) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) })
  if (!response.ok) throw new Refused(`${response.status} ${response.statusText}`)
  return response
}

/**
 * Runs calls one after the other. Two requests at the same time may arrive in any order.
 *
 * @template T
 * @param {(argument: T) => Promise<void>} task
 */
export function oneByOne(task) {
  let last = Promise.resolve()
  return (/** @type {T} */ argument) => {
    const done = last.then(() => task(argument))
    last = done.catch(() => {})
    return done
  }
}
