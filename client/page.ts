import type { Core } from './core.ts'

/** What the client uses of a page. Workers have some of it, and Node.js has none. */
interface Target {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

interface Page extends Target {
  readonly document?: Target & { readonly visibilityState: string }
  readonly sessionStorage?: {
    getItem(key: string): string | null
    setItem(key: string, value: string): void
    removeItem(key: string): void
  }
}

/** `online` comes before the network does, so the client waits for so many milliseconds, and up to as many more. */
const NETWORK_DELAY = 250

/** What a page leaves for the next one in its tab. */
export interface Place {
  readonly uid: string
  readonly clientId: string
  readonly position: string
  /** The number of requests for a stream so far. */
  readonly count: number
}

/**
 * Takes out the place that the former page has left, so that the copy of a tab finds none. Where a storage is not
 * allowed there is none.
 */
export function takePlace(key: string): Place | undefined {
  try {
    const { sessionStorage } = globalThis as Page
    const text = sessionStorage?.getItem(key)
    sessionStorage?.removeItem(key)
    return text ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

/** Leaves a place for the next page. */
export function leavePlace(key: string, place: Place): void {
  try {
    ;(globalThis as Page).sessionStorage?.setItem(key, JSON.stringify(place))
  } catch {}
}

/**
 * Tells the connection what happens to the page.
 *
 * @param onShow the page is there again
 * @param onHide the page is left
 * @returns the function that ends it
 */
export function watchPage({ connection }: Core, onShow: () => void, onHide: () => void): () => void {
  const page = globalThis as Page
  const { document } = page
  const wake = () => {
    onShow()
    connection.wake()
  }
  const listeners: [Target | undefined, string, () => void][] = [
    [page, 'online', () => connection.wake(NETWORK_DELAY * (1 + Math.random()))],
    // It proves nothing: there are VPNs, and servers on this machine.
    [page, 'offline', connection.probe],
    [page, 'pageshow', wake],
    [page, 'pagehide', onHide],
    [page, 'pagehide', connection.suspend],
    [document, 'freeze', connection.suspend],
    [document, 'resume', wake],
    [document, 'visibilitychange', () => document?.visibilityState === 'visible' && wake()],
  ]
  for (const [target, type, listener] of listeners) target?.addEventListener?.(type, listener)
  return () => {
    for (const [target, type, listener] of listeners) target?.removeEventListener?.(type, listener)
  }
}
