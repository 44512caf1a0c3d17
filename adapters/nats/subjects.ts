import { CometError } from '../../lib/errors.ts'

/** The subjects of a namespace. */
export interface Subjects {
  /** The topic of Go-Micro on which Go services and Comets publish Events. */
  readonly events: string
  /** The topic of Go-Micro on which Comets tell of users. */
  readonly activity: string
  /** For Comets only: events for sessions, which Go's Event cannot name. */
  readonly sessions: string
}

/** What no part of a subject may have: space, control characters and wildcards. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be found.
const IMPOSSIBLE = /[\u0000-\u0020\u007f*>]/

/** Makes the subjects of a namespace. @throws CometError INVALID_OPTION when it cannot be part of a subject */
export function subjectsOf(namespace: string): Subjects {
  if (IMPOSSIBLE.test(namespace) || namespace.split('.').includes('')) {
    throw new CometError(
      'INVALID_OPTION',
      `Option namespace is the beginning of subjects of NATS: it must not have spaces, * and >, or a dot at its ends or beside another one, as ${JSON.stringify(namespace)} has.`,
    )
  }
  return {
    events: `${namespace}.service.comet`,
    activity: `${namespace}.topic.user-activity`,
    sessions: `${namespace}.comet.session`,
  }
}

/** Names the stream of JetStream that has the events of a namespace: another name for each. */
export function streamOf(namespace: string): string {
  // In UTF-8 the first byte tells how many there are, so that the digits are no part of what follows.
  const name = namespace.replace(/[^A-Za-z0-9-]/gu, (letter) => `_${Buffer.from(letter).toString('hex')}`)
  return `comet-${name}`
}
