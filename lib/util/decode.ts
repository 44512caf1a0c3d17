import { CometError } from '../errors.ts'
import { kindOf } from './kind-of.ts'

/**
 * Checks a value from another node, and gives it its type.
 *
 * @param name the place of the value, for the error message, such as `enter.rid`
 * @throws CometError INTERNAL, which names the place
 */
export type Decoder<T> = (value: unknown, name: string) => T

/** The type that a decoder gives. */
export type Decoded<D> = D extends Decoder<infer T> ? T : never

type Shape = Readonly<Record<string, Decoder<unknown>>>

/** The fields of a shape. One that may be undefined may be absent. */
type Fields<S extends Shape> = {
  readonly [K in keyof S as undefined extends Decoded<S[K]> ? never : K]: Decoded<S[K]>
} & { readonly [K in keyof S as undefined extends Decoded<S[K]> ? K : never]?: Decoded<S[K]> }

/** Takes a string. */
export const text: Decoder<string> = (value, name) => {
  if (typeof value === 'string') return value
  throw mismatch(name, 'a string', value)
}

/** Takes a boolean. */
export const flag: Decoder<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value
  throw mismatch(name, 'a boolean', value)
}

/** Takes a whole number, 0 or more. */
export const count: Decoder<number> = (value, name) => {
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
  throw mismatch(name, 'a whole number, 0 or more', value)
}

/** Passes JSON on as it is. */
export const json: Decoder<unknown> = (value) => value

/** Drops the value: for answers that nobody reads. An empty request is `object({})`. */
export const nothing: Decoder<undefined> = () => undefined

/** Takes undefined and null, which JSON has in its place, for undefined. */
export function optional<T>(decode: Decoder<T>): Decoder<T | undefined> {
  return (value, name) => (value === undefined || value === null ? undefined : decode(value, name))
}

/** Decodes each item of an array. */
export function list<T>(decode: Decoder<T>): Decoder<readonly T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw mismatch(name, 'an array', value)
    return value.map((item, index) => decode(item, `${name}.${index}`))
  }
}

/** Takes the first of several decoders that accepts the value. */
export function either<T>(...decoders: readonly Decoder<T>[]): Decoder<T> {
  return (value, name) => {
    let refusal: unknown
    for (const decode of decoders) {
      try {
        return decode(value, name)
      } catch (error) {
        refusal = error
      }
    }
    throw refusal
  }
}

/** Decodes each field of an object, and drops all others. */
export function object<S extends Shape>(shape: S): Decoder<Fields<S>> {
  const decoders = Object.entries(shape)
  return (value, name) => {
    if (typeof value !== 'object' || value === null) throw mismatch(name, 'an object', value)
    const fields: Record<string, unknown> = {}
    for (const [key, decode] of decoders) {
      const given: unknown = Object.hasOwn(value, key) ? value[key as keyof typeof value] : undefined
      const field = decode(given, `${name}.${key}`)
      if (field !== undefined) fields[key] = field
    }
    return fields as Fields<S>
  }
}

/** Decodes an object of one of several shapes, which its `type` names. */
export function tagged<V extends Readonly<Record<string, Shape>>>(
  variants: V,
): Decoder<{ [K in keyof V & string]: { readonly type: K } & Fields<V[K]> }[keyof V & string]> {
  const tag = object({ type: text })
  const decoders = new Map(Object.entries(variants).map(([type, shape]) => [type, object(shape)]))
  const expected = `one of ${Array.from(decoders.keys()).join(', ')}`
  return (value, name) => {
    const { type } = tag(value, name)
    const decode = decoders.get(type)
    if (decode === undefined) throw mismatch(`${name}.type`, expected, type)
    return { ...decode(value, name), type } as never
  }
}

function mismatch(name: string, expected: string, value: unknown): CometError {
  return new CometError('INTERNAL', `${name} must be ${expected}, not ${kindOf(value)}.`)
}
