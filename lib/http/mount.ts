import { CometError } from '../errors.ts'

/**
 * Checks the path that Comet is mounted at.
 *
 * @returns the path without a slash at its end
 * @throws CometError INVALID_OPTION
 */
export function mountOf(path: unknown): string {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new CometError(
      'INVALID_OPTION',
      "Option path must be a path that starts with '/', such as '/comet'.",
    )
  }
  return path.replace(/\/+$/, '')
}

/** Extracts the path and query of a request target, which may begin with scheme and host (RFC 9112, section 3.2.2). */
export function pathOf(target: string): string {
  if (target.startsWith('/')) return target
  return target.replace(/^https?:\/\/[^/?]*/i, '')
}

/** Extracts the part of a request target below the mount. @returns undefined for a target elsewhere */
export function below(mount: string, target: string): string | undefined {
  const url = pathOf(target)
  if (!url.startsWith(mount)) return undefined
  const rest = url.slice(mount.length)
  return rest === '' || rest.startsWith('/') || rest.startsWith('?') ? rest : undefined
}

/**
 * Extracts the part of a request target below the mount, where a framework may have cut the same mount off before:
 * `app.use('/comet', cometHandler(comet, { path: '/comet' }))`.
 *
 * @param cut what the framework has cut off
 * @returns undefined for a target elsewhere
 */
export function belowTwice(mount: string, target: string, cut: string | undefined): string | undefined {
  const url = below(mount, target)
  if (url !== undefined || !cut?.endsWith(mount)) return url
  return pathOf(target)
}
