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

/** The part of a URL below the mount, or undefined for a URL elsewhere. */
export function below(mount: string, url: string): string | undefined {
  if (!url.startsWith(mount)) return undefined
  const rest = url.slice(mount.length)
  return rest === '' || rest.startsWith('/') || rest.startsWith('?') ? rest : undefined
}
