import type { Phase, Trial } from './cut-trials.ts'
import type { Random } from './random.ts'

/** A place in a block. */
interface Place {
  readonly where: string
  /** @returns the number of the block's bytes before it */
  readonly in: (block: string) => number
}

/** A place where a stream is cut. */
export interface CutPlace {
  readonly where: string
  readonly at: Trial['at']
}

const after = (text: string): Place => ({
  where: `right after ${JSON.stringify(text)}`,
  in: (block) => block.indexOf(text) + text.length,
})
const before = (where: string, bytes: number): Place => ({
  where,
  in: (block) => block.length - bytes,
})
/** Within a character whose first byte is this one. */
const amid = (where: string, first: string, bytes: number): Place => ({
  where: `amid ${where}, after ${bytes} of its bytes`,
  in: (block) => block.indexOf(first) + bytes,
})

const AROUND_ID = [
  after('\ni'),
  after('\nid'),
  after('\nid:'),
  after('\nid: '),
  before('amid the position', 3),
  before('before the end of the line of the id', 2),
  before('before the empty line', 1),
]

/** The first block has no id in the stream of a newcomer. */
const IN_NONE = [after(':'), after(':\n'), after('eve'), after('comet.none\n'), before('after the block', 0)]

const IN_READY = [
  after('eve'),
  after('event:'),
  after('comet.re'),
  after('comet.ready\n'),
  after('data:'),
  after('{"sid":'),
  after('}\n'),
  after('retry:'),
  after('retry: '),
  ...AROUND_ID,
  before('after the block', 0),
]

const IN_LABEL = [after(':'), after(':u'), after(':uid\n')]

const IN_EVENT = [
  ...IN_LABEL,
  after('da'),
  after('data:'),
  after('data: '),
  amid('ö', '\xc3', 1),
  amid('🙂', '\xf0', 1),
  amid('🙂', '\xf0', 2),
  amid('🙂', '\xf0', 3),
  after('\x99\x82'),
  after('\x99\x82\n'),
  after('\ndata:'),
  after('\ndata: of'),
  after('\ndata: of '),
  ...AROUND_ID,
  before('after the block', 0),
]

const IN_NAMED_EVENT = [
  ...IN_LABEL,
  after('eve'),
  after('event: numb'),
  after('event: numbered\n'),
  after('{"te'),
  ...AROUND_ID,
  before('after the block', 0),
]

/** Makes the places where a stream of trials is cut: at the borders of fields, amid characters, around ids. */
export function cutPlaces(phase: Phase, random: Random): CutPlace[] {
  return [
    ...[...IN_NONE, ...(phase === 'live' ? [] : AROUND_ID)].map((place) =>
      placeIn('comet.none', /^:\n.*?\n\n/s, place),
    ),
    ...IN_READY.map((place) => placeIn('comet.ready', /(?<=^|\n)event: comet\.ready\n.*?\n\n/s, place)),
    ...IN_EVENT.map((place) => {
      const n = 2 * random.int(0, 24)
      return placeIn(`event ${n}`, new RegExp(`(?<=\\n\\n):uid\\ndata: ${n} .*?\\n\\n`, 's'), place)
    }),
    ...IN_NAMED_EVENT.map((place) => {
      const n = 2 * random.int(0, 24) + 1
      const pattern = new RegExp(`(?<=\\n\\n):uid\\nevent: numbered\\ndata: {"text":"${n} .*?\\n\\n`, 's')
      return placeIn(`named event ${n}`, pattern, place)
    }),
  ]
}

function placeIn(name: string, pattern: RegExp, place: Place): CutPlace {
  return {
    where: `in ${name} ${place.where}`,
    at: (body) => {
      const block = pattern.exec(body)
      return block === null ? undefined : block.index + place.in(block[0])
    },
  }
}
