/** The function of the page that shows a message. */
export function show(message: unknown): void
