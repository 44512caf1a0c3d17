import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/**
 * @typedef {{
 *   '.': typeof import('comet-sse'),
 *   './express': typeof import('comet-sse/express'),
 *   './koa': typeof import('comet-sse/koa'),
 *   './nats': typeof import('comet-sse/nats'),
 *   './redis': typeof import('comet-sse/redis'),
 * }} Modules
 */

/**
 * The package that this process measures: this repository, or the folder in COMET_BENCH_PACKAGE, which `--against` sets
 * to another build.
 */
const FOLDER = process.env.COMET_BENCH_PACKAGE
  ? pathToFileURL(`${process.env.COMET_BENCH_PACKAGE}/`)
  : new URL('../', import.meta.url)

/**
 * Imports an entry point of the package, by the `exports` of its package.json.
 *
 * @template {keyof Modules} Subpath
 * @param {Subpath} subpath
 * @returns {Promise<Modules[Subpath]>}
 */
export async function importComet(subpath) {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', FOLDER), 'utf8'))
  return await import(new URL(exports[subpath].import.default, FOLDER).href)
}
