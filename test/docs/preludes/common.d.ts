// What no page of the docs imports, for all of them: a script with no import or export of its own.

// In the script of a page the elements are there that it asks for.
interface Document {
  // biome-ignore lint/suspicious/noExplicitAny: an example in plain JavaScript says no type of an element.
  getElementById(id: string): any
  // biome-ignore lint/suspicious/noExplicitAny: likewise.
  querySelector(selectors: string): any
}

// The parts of libraries that are not installed here.
declare module 'react' {
  export function useEffect(effect: () => unknown, dependencies?: readonly unknown[]): void
  export function useRef<T>(initial: T): { current: T }
  export function useState<T>(initial: T): [T, (value: T) => void]
}
declare module 'vue' {
  export function onMounted(hook: () => void): void
  export function onUnmounted(hook: () => void): void
  export function ref<T>(value: T): { value: T }
}
declare module 'jose' {
  export function jwtVerify(
    token: string,
    key: Uint8Array,
  ): Promise<{ payload: { sub: string; exp: number } }>
}

// A server that listens has a port. The types say that it may have a path.
declare module 'http' {
  interface Server {
    // biome-ignore lint/suspicious/noExplicitAny: likewise.
    address(): any
  }
}
