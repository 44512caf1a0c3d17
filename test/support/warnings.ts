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

/** Runs something to its end, and returns the messages of all process warnings, which are not printed. */
export async function collectWarnings(act: (seen: readonly string[]) => Promise<unknown>): Promise<string[]> {
  const messages: string[] = []
  const collect = ({ message }: Error) => messages.push(message)
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning').on('warning', collect)
  try {
    await act(messages)
    return messages
  } finally {
    process.off('warning', collect)
    for (const listener of listeners) process.on('warning', listener)
  }
}
