import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/event.ts'
import type { Owed } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'

/** An event that is kept, or was: whoever is still owed it does not keep it from being evicted. */
export interface Kept extends Owed {
  readonly position: string
  /** False once it is evicted. */
  readonly isKept: boolean
  /** Empty then. */
  readonly evt: string
  readonly except: Delivery['except']
}

/** What it takes to keep an event beside its texts, in bytes, as measured. */
const ENTRY_BYTES = 400

/** A {@link Kept} as it stands in a window of the backlog, and in the list of all by age. */
export class Entry<W extends { readonly target: Target }> implements Kept {
  readonly target: Target
  readonly ordinal: number
  readonly position: string
  readonly except: Delivery['except']
  readonly held = 0
  readonly window: W
  readonly time = performance.now()
  /** In bytes. */
  readonly cost: number
  older: Entry<W> | undefined
  newer: Entry<W> | undefined = undefined
  #evt: string | undefined
  #frame: Buffer | undefined

  constructor(delivery: Delivery, frame: Buffer, window: W, ordinal: number, older: Entry<W> | undefined) {
    const { evt, except, position } = delivery
    this.target = window.target
    this.ordinal = ordinal
    this.position = position
    this.#evt = evt
    this.except = except
    this.window = window
    this.older = older
    this.#frame = isPooled(frame) ? undefined : frame
    this.cost = costOfEntry(delivery, frame)
  }

  get isKept(): boolean {
    return this.#evt !== undefined
  }

  get evt(): string {
    return this.#evt ?? ''
  }

  get frame(): Buffer | undefined {
    if (this.#evt === undefined) return undefined
    this.#frame ??= unpooled(encodeBlock({ id: this.position, data: this.#evt }))
    return this.#frame
  }

  evict(): void {
    this.#evt = undefined
    this.#frame = undefined
    // Nor should whoever is owed it hold on to those that came after it.
    this.older = undefined
    this.newer = undefined
  }
}

/**
 * Small Buffers are cut from a slab that they share with whatever was made at about the same time: one that is kept
 * would keep all of it. A slab of its own for each takes longer than to publish it, so it is made for those that are
 * asked for.
 */
function isPooled(frame: Buffer): boolean {
  return frame.buffer.byteLength > frame.length
}

function unpooled(frame: Buffer): Buffer {
  if (!isPooled(frame)) return frame
  const own = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(own)
  return own
}

/** What an event costs that is kept, in bytes. */
export function costOfEntry({ evt, position }: Delivery, frame: Buffer): number {
  return frame.length + 2 * (evt.length + position.length) + ENTRY_BYTES
}
