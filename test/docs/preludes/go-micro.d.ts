export const source: EventSource
