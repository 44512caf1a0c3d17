/** Of the app's login. */
export const token: string
export function show(line: { id: string; text: string }): void
export function load(): void
