export const Comet: typeof import('comet-sse').Comet
export const CometError: typeof import('comet-sse').CometError
