/** Runs something, and returns the next process warning, which is not printed. */
export async function nextWarning(act: () => unknown): Promise<Error> {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  try {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    act()
    return await warned
  } finally {
    for (const listener of listeners) process.on('warning', listener)
  }
}
