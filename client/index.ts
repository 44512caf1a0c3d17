/**
 * The client of Comet for browsers, workers and Node.js: `comet-sse/client`. To import it touches no global.
 */
export { CometClientError, type CometClientErrorCode, type CometClientErrorDetails } from './errors.ts'
