/** A promise, and what settles it. */
export class Deferred<T> {
  readonly promise: Promise<T>
  resolve: (value: T) => void = () => {}
  reject: (error: Error) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Each caller is told by a promise that it has asked for. Until one has, a rejection is nobody's.
    this.promise.catch(() => {})
  }
}
