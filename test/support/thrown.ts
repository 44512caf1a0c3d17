/** A function that throws a value. */
export const throws = (thrown: unknown) => () => {
  throw thrown
}

/** Values that code may throw: not only errors, and not only what can be made a string. */
export const THROWN: readonly unknown[] = [
  ...[undefined, null, 0, '', 'text', 5n, true, Symbol('x'), {}, [], () => 'x'],
  Object.create(null),
  { toString: throws(new Error('not even this')) },
]
