/**
 * A place in a stream of JetStream: the sequence of an event, and its time. With the time it names the event itself: after
 * a server has lost the end of a stream, other events get the same sequences.
 */
export interface StreamPlace {
  readonly sequence: number
  /** Nanoseconds since January 1, 1970 UTC, in decimal. */
  readonly time: string
}

const POSITION = /^(\d{1,15})\.(\d{1,20})$/

/** Writes a place as a position. */
export function formatPosition({ sequence, time }: StreamPlace): string {
  return `${sequence}.${time}`
}

/** Reads a position. @returns undefined when it is none */
export function parsePosition(position: string): StreamPlace | undefined {
  const [, sequence, time] = POSITION.exec(position) ?? []
  return time === undefined ? undefined : { sequence: Number(sequence), time }
}

/** Reads a time that JetStream writes, such as `2023-11-14T22:13:20.123456789Z`. @returns nanoseconds, in decimal */
export function nanosecondsOf(text: string): string {
  const [, seconds = '', fraction = '', zone = 'Z'] = /^([^.Z+]*)(?:\.(\d+))?(.*)$/.exec(text) ?? []
  const milliseconds = Date.parse(`${seconds}${zone}`)
  // Of an empty stream that never had an event it is the year 1.
  if (!(milliseconds >= 0)) return '0'
  return `${milliseconds / 1_000}${fraction.padEnd(9, '0')}`
}
