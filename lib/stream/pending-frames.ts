import { Batch } from '../ports/write-batch.ts'

/**
 * What sessions have yet to be sent, as a path in a tree: sessions with the same frames pending stand on the same node,
 * and are given the same batch.
 */
export class Pending {
  private readonly parent: Pending | undefined
  private readonly frame: Buffer | undefined
  /** Most nodes have one child, so a Map is made only for a second one. */
  private child: Pending | undefined
  private children: Map<Buffer, Pending> | undefined
  private shared: Batch | undefined

  private constructor(parent?: Pending, frame?: Buffer) {
    this.parent = parent
    this.frame = frame
  }

  /** The root of a new tree: nothing pending. */
  static empty(): Pending {
    return new Pending()
  }

  /** What is pending once `frame`, the same Buffer for all who get it, comes on top. */
  with(frame: Buffer): Pending {
    if (this.child?.frame === frame) return this.child
    const known = this.children?.get(frame)
    if (known !== undefined) return known
    const child = new Pending(this, frame)
    if (this.child === undefined) {
      this.child = child
    } else {
      this.children ??= new Map()
      this.children.set(frame, child)
    }
    return child
  }

  /** All that is pending, in order; undefined when there is nothing. */
  batch(): Batch | undefined {
    if (this.frame === undefined) return undefined
    this.shared ??= this.parent?.frame === undefined ? new Batch([this.frame]) : new Batch(this.path())
    return this.shared
  }

  private path(): Buffer[] {
    const frames: Buffer[] = []
    for (let at: Pending | undefined = this; at?.frame !== undefined; at = at.parent) frames.push(at.frame)
    return frames.reverse()
  }
}
