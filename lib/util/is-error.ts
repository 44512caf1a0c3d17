import { types } from 'node:util'
import { kindOf } from './kind-of.ts'

/**
 * Tells whether a value is an Error of any realm. In Jest and in `vm` contexts the errors of Node.js itself are not
 * `instanceof Error`, and a DOMException, such as an AbortError, is no native error.
 */
export function isError(value: unknown): value is Error {
  try {
    if (types.isNativeError(value) || value instanceof Error) return true
    return Object.prototype.toString.call(value) === '[object DOMException]'
  } catch {
    // A proxy may throw whatever it is asked.
    return false
  }
}

/** Gives the message of a thrown value, which may be anything. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return isError(thrown) ? String(thrown.message) : String(thrown)
  } catch {
    // Such as `Object.create(null)`, which cannot become a string.
    return kindOf(thrown)
  }
}
