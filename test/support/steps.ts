type Method = (...args: never[]) => unknown

const iterators = [[][Symbol.iterator](), new Map().entries(), new Set().values()].map(
  (iterator) => Object.getPrototypeOf(iterator) as Record<string, Method>,
)

/** The operations on collections that count as a step each, whatever they are called on. */
const COUNTED: readonly [object: object, names: readonly string[]][] = [
  [Map.prototype, ['get', 'set', 'has', 'delete']],
  [Set.prototype, ['add', 'has', 'delete']],
  [
    Array.prototype,
    ['push', 'shift', 'unshift', 'splice', 'slice', 'indexOf', 'includes', 'find', 'filter', 'map', 'sort'],
  ],
  ...iterators.map((prototype) => [prototype, ['next']] as [object, readonly string[]]),
]

/** Counts the steps that some work takes, including those of the same turn of the event loop that come later. */
export async function countSteps(work: () => unknown): Promise<number> {
  let steps = 0
  const restore: (() => void)[] = []
  for (const [object, names] of COUNTED) {
    for (const name of names) {
      const methods = object as Record<string, Method>
      const method = methods[name] as Method
      methods[name] = function (this: unknown, ...args: never[]) {
        steps += name === 'next' || !Array.isArray(this) || name === 'push' ? 1 : this.length
        return method.apply(this, args)
      }
      restore.push(() => {
        methods[name] = method
      })
    }
  }
  try {
    await work()
    await new Promise(setImmediate)
  } finally {
    for (const each of restore) each()
  }
  return steps
}
