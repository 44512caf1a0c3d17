/** Whether tests run in full, as `npm run soak` asks for with COMET_SOAK=1. `npm test` runs a sample of what takes long. */
export const isSoak = process.env.COMET_SOAK === '1'

/** Picks a value by the form in which tests run. */
export function sampled<T>(full: T, sample: T): T {
  return isSoak ? full : sample
}

/** Whether `npm run check` runs the tests, which sets COMET_QUICK=1: with fewer random inputs still. */
const isQuick = process.env.COMET_QUICK === '1'

/** How often fast-check tries a property: twenty times as often in full, and a third as often in the fast loop. */
export function runs(sample: number): { readonly numRuns: number } {
  return { numRuns: sampled(20 * sample, isQuick ? Math.ceil(sample / 3) : sample) }
}

/** Prints a measured figure under the title of its test. `npm run soak` repeats all figures when it ends. */
export function figure(name: string, value: string): void {
  console.log(`      figure: ${name}: ${value}`)
}
