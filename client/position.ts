import type { Position } from './core.ts'

/** The number of latest positions whose events are known. */
const REMEMBERED = 1_024

/** Makes a position that is not known yet. */
export function createPosition(): Position {
  let latest: string | undefined
  let held: string | undefined
  const seen = new Set<string>()
  return {
    current: () => held ?? latest,
    moveTo(id) {
      latest = id
    },
    isNew(position) {
      if (seen.has(position)) return false
      seen.add(position)
      if (seen.size > REMEMBERED) seen.delete(seen.values().next().value ?? '')
      return true
    },
    hold(position) {
      held ??= position
    },
    release() {
      held = undefined
    },
    reset(position) {
      latest = position
      held = undefined
      seen.clear()
    },
  }
}
