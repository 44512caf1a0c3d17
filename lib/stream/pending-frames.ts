import { WriteBatch } from '../ports/write-batch.ts'

/**
 * A node in a tree of pending frames: the path from the root to it is what a session has yet to be sent. Sessions with
 * the same pending frames stand on the same node and share one batch, which is joined once.
 *
 *     root ──hello──▶ n1 ──news──▶ n2      n1: sessions that got hello, n2: those that got hello and news
 */
export class PendingFrames {
  private readonly parent: PendingFrames | undefined
  private readonly frame: Buffer | undefined
  /** The first child. Most nodes have no other, so the Map is allocated for the second one only. */
  private child: PendingFrames | undefined
  private children: Map<Buffer, PendingFrames> | undefined
  private shared: WriteBatch | undefined

  private constructor(parent?: PendingFrames, frame?: Buffer) {
    this.parent = parent
    this.frame = frame
  }

  /** Creates the root of a new tree: nothing is pending. */
  static empty(): PendingFrames {
    return new PendingFrames()
  }

  /** Finds or makes the node for one more frame, which is compared by identity: all who get it pass the same Buffer. */
  with(frame: Buffer): PendingFrames {
    if (this.child?.frame === frame) return this.child
    const known = this.children?.get(frame)
    if (known !== undefined) return known
    const child = new PendingFrames(this, frame)
    if (this.child === undefined) {
      this.child = child
    } else {
      this.children ??= new Map()
      this.children.set(frame, child)
    }
    return child
  }

  /** The pending frames as one batch, in order. Undefined at the root. */
  batch(): WriteBatch | undefined {
    if (this.frame === undefined) return undefined
    this.shared ??=
      this.parent?.frame === undefined ? new WriteBatch([this.frame]) : new WriteBatch(this.path())
    return this.shared
  }

  private path(): Buffer[] {
    const frames: Buffer[] = []
    for (let at: PendingFrames | undefined = this; at?.frame !== undefined; at = at.parent) {
      frames.push(at.frame)
    }
    return frames.reverse()
  }
}
