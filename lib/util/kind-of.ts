/** Names the kind of a value for an error message. Never the value itself, which may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'undefined') return 'undefined'
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}
