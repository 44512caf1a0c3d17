/** Settles with the promise, or when the time is over, in milliseconds. Rejects as the promise does. */
export async function atMost(milliseconds: number, promise: Promise<unknown> | undefined): Promise<void> {
  if (promise === undefined) return
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  try {
    await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
