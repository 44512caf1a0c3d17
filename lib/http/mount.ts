import { CometError } from '../errors.ts'

/**
 * Checks the path Comet is mounted at.
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

/** The path and query of a request target, which may have scheme and host before it (RFC 9112, section 3.2.2). */
export function pathOf(target: string): string {
  if (target.startsWith('/')) return target
  return target.replace(/^https?:\/\/[^/?]*/i, '')
}

/** The part of a request target below the mount, or undefined for one elsewhere. */
export function below(mount: string, target: string): string | undefined {
  const url = pathOf(target)
  if (!url.startsWith(mount)) return undefined
  const rest = url.slice(mount.length)
  return rest === '' || rest.startsWith('/') || rest.startsWith('?') ? rest : undefined
}
