import fc from 'fast-check'

/** A change of a payload. */
type Mutate = (payload: Buffer) => Buffer

const nat = fc.nat({ max: 0xffffff })

const ofBytes: fc.Arbitrary<Mutate> = fc.oneof(
  fc.tuple(nat, fc.nat({ max: 7 })).map(
    ([at, bit]): Mutate =>
      (payload) =>
        flip(payload, at, bit),
  ),
  nat.map(
    (at): Mutate =>
      (payload) =>
        payload.subarray(0, at % (payload.length + 1)),
  ),
  fc.tuple(nat, nat).map(
    ([from, length]): Mutate =>
      (payload) => {
        const start = from % (payload.length + 1)
        return Buffer.concat([payload.subarray(0, start), payload.subarray(start + 1 + (length % 8))])
      },
  ),
  fc.tuple(nat, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(
    ([at, bytes]): Mutate =>
      (payload) => {
        const start = at % (payload.length + 1)
        return Buffer.concat([payload.subarray(0, start), bytes, payload.subarray(start)])
      },
  ),
)

function flip(payload: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(payload)
  if (copy.length > 0) copy[at % copy.length] = (copy[at % copy.length] as number) ^ (1 << bit)
  return copy
}

const CONTENT_TYPES = [
  ...[
    'application/json',
    'application/protobuf',
    'application/grpc',
    'application/grpc+json',
    'text/plain',
    '',
  ],
]

/** What a header or another part of the JSON is replaced with. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(...CONTENT_TYPES),
  fc.constantFrom<unknown>(null, {}, [], '', 0, -1, 1e300, 'AAAA', '====', { __proto__: {} }),
)

const ofJson: fc.Arbitrary<Mutate> = fc.oneof(
  fc.tuple(nat, value).map(
    ([which, next]): Mutate =>
      (payload) =>
        withJson(payload, (message) => swap(message, which, next)),
  ),
  // A change of the bytes within the base64, which reaches the codec.
  {
    weight: 2,
    arbitrary: ofBytes.map(
      (mutate): Mutate =>
        (payload) =>
          withBody(payload, mutate),
    ),
  },
)

interface Parts {
  Header: Record<string, unknown>
  Body: unknown
}

function withJson(payload: Buffer, change: (message: Parts) => unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(change(JSON.parse(payload.toString()))) ?? '')
  } catch {
    // It is no JSON any more after another change.
    return payload
  }
}

/** Replaces the message, one of its two parts, or one header. */
function swap(message: Parts, which: number, next: unknown): unknown {
  const names = Object.keys(message.Header)
  const at = which % (names.length + 3)
  if (at === 0) return next
  if (at === 1) return { ...message, Header: next }
  if (at === 2) return { ...message, Body: next }
  return { ...message, Header: { ...message.Header, [names[at - 3] ?? '']: next } }
}

function withBody(payload: Buffer, mutate: Mutate): Buffer {
  return withJson(payload, (message) => {
    const body = mutate(Buffer.from(String(message.Body), 'base64'))
    return { ...message, Body: body.toString('base64') }
  })
}

/** One to three changes of a valid payload: of bits and bytes, of JSON values, and of what is in the base64. */
export const mutation: fc.Arbitrary<Mutate> = fc
  .array(fc.oneof(ofBytes, ofJson), { minLength: 1, maxLength: 3 })
  .map((changes) => (payload) => changes.reduce((each, mutate) => mutate(each), payload))
