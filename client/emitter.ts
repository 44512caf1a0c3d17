/** Options of a handler. */
export interface ListenerOptions {
  /**
   * Ends the handler when it is aborted.
   *
   * @default undefined
   */
  readonly signal?: AbortSignal | undefined
  /**
   * Whether the handler ends with its first call.
   *
   * @default false
   */
  readonly once?: boolean | undefined
}

/** Handlers by the name of what they handle. */
export interface Emitter<Events extends Record<string, unknown[]>> {
  /**
   * Adds a handler. A function that is added twice is called once for each event, until it was ended as often as it was
   * added: two parts of an app may add the same one.
   *
   * @returns the function that ends it
   */
  add<Name extends keyof Events & string>(
    name: Name,
    handler: (...args: Events[Name]) => void,
    options?: ListenerOptions,
  ): () => void
  /** Calls the handlers of a name. One that throws stops no other. One that is added meanwhile is not called. */
  emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void
}

type Handler = (...args: unknown[]) => void

/** Makes an emitter. */
export function createEmitter<Events extends Record<string, unknown[]>>(): Emitter<Events> {
  /** By name: how often each handler was added. */
  const all = new Map<string, Map<Handler, number>>()
  return {
    add(name, given, { signal, once } = {}) {
      const times = all.get(name) ?? new Map<Handler, number>()
      all.set(name, times)
      const handler = given as Handler
      const listener: Handler = once
        ? (...args) => {
            end()
            handler(...args)
          }
        : handler
      const change = (by: number) => {
        const count = (times.get(listener) ?? 0) + by
        if (count > 0) times.set(listener, count)
        else times.delete(listener)
      }
      let ended = signal?.aborted
      const end = () => {
        if (ended) return
        ended = true
        signal?.removeEventListener('abort', end)
        change(-1)
      }
      if (ended) return end
      signal?.addEventListener('abort', end)
      change(1)
      return end
    },
    emit(name, ...args) {
      const times = all.get(name)
      for (const listener of [...(times?.keys() ?? [])]) {
        try {
          // Another handler may have ended it.
          if (times?.has(listener)) listener(...args)
        } catch (error) {
          report(error)
        }
      }
    },
  }
}

/** Reports what a handler threw. Node.js has no `reportError`: there it is printed. */
function report(error: unknown): void {
  const { reportError = console.error } = globalThis as { reportError?: (error: unknown) => void }
  reportError(error)
}
