import { CometError } from '../errors.ts'

/**
 * Copies the info, which presence keeps: as JSON, so that the app's object may change, and texts in it keep no others.
 *
 * @throws TypeError for what is not JSON
 */
export function copyInfo(info: unknown): unknown {
  let text: string | undefined
  try {
    text = JSON.stringify(info)
  } catch (cause) {
    throw new TypeError(`info is not JSON: ${(cause as Error).message}`)
  }
  return text === undefined ? undefined : JSON.parse(text)
}

/** Checks and copies the info that the app sets. @throws CometError INVALID_FIELD for what is not JSON */
export function checkInfo(info: unknown): unknown {
  try {
    return copyInfo(info)
  } catch (cause) {
    throw new CometError('INVALID_FIELD', (cause as Error).message, { cause })
  }
}
