import assert from 'node:assert/strict'
import { bodyOf, parseGoMessage, stringifyGoMessage } from '../../adapters/nats/go-message.ts'
import { base64, framed, goPayload, HI, HI_JSON } from '../support/go-messages.ts'

const parse = (text: string) => parseGoMessage(Buffer.from(text))
const ofType = (type: unknown, bytes: Uint8Array | string = HI) =>
  bodyOf(parseGoMessage(goPayload({ 'Content-Type': type }, base64(bytes))))

describe('stringifyGoMessage', () => {
  it('writes what go-micro v2 and v5 both accept: protobuf without a frame, and the topic', () => {
    assert.equal(
      stringifyGoMessage('io.goeasy.service.comet', '', 'CgJ1MRoCaGk='),
      '{"Header":{"Content-Type":"application/protobuf","Micro-Topic":"io.goeasy.service.comet"},"Body":"CgJ1MRoCaGk="}',
    )
  })

  it('adds headers, and writes a topic with quotes as JSON', () => {
    const { header, body } = parse(stringifyGoMessage('a"b', ',"Comet-Skip":"x"', 'AAAA'))
    assert.equal(header('Micro-Topic'), 'a"b')
    assert.equal(header('Comet-Skip'), 'x')
    assert.equal(body, 'AAAA')
  })
})

describe('parseGoMessage', () => {
  it('reads Header and Body, also by another case, and first by their names as they are', () => {
    const { header, body } = parse(
      '{"header":{"CONTENT-TYPE":"a","x":"lower","X":"upper"},"body":"AAAA","Body":"BBBB"}',
    )
    assert.equal(header('Content-Type'), 'a')
    assert.equal(header('X'), 'upper')
    assert.equal(header('x'), 'lower')
    assert.equal(header('Y'), undefined)
    assert.equal(body, 'BBBB')
  })

  it('reads an absent or null Header as empty, and an absent or null Body', () => {
    for (const text of ['{}', '{"Header":null,"Body":null}', '{"Header":{},"Body":""}', ' {"Other":[1]}\n']) {
      const message = parse(text)
      assert.equal(message.header('Content-Type'), undefined)
      assert.equal(message.body, '')
    }
  })

  it('takes a header that is no text as absent', () => {
    for (const value of [5, null, ['a'], {}, true]) {
      assert.equal(parseGoMessage(goPayload({ a: value }, '')).header('a'), undefined)
    }
  })

  it('takes no header from the prototype', () => {
    const { header } = parse('{"Header":{"__proto__":{"a":"evil"}},"Body":""}')
    for (const name of ['a', 'constructor', 'toString']) assert.equal(header(name), undefined)
  })

  for (const [title, payload] of [
    ['no JSON', 'password=hunter2'],
    ['cut off', '{"Header":{"Authorization":"hunter2'],
    ['empty', ''],
    ['JSON behind a byte order mark', '\ufeff{"Header":{},"Body":""}'],
    ['nested a million times and never closed', '['.repeat(1_000_000)],
  ] as const) {
    it(`refuses a payload that is ${title}, without a word of it`, () => {
      assert.throws(
        () => parse(payload),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'INVALID_JSON')
          assert.equal(error.message, 'The payload is not JSON.')
          assert.equal(error.cause, undefined)
          return true
        },
      )
    })
  }

  for (const [payload, message] of [
    ['null', 'The payload must be a JSON object.'],
    ['[]', 'The payload must be a JSON object.'],
    ['"text"', 'The payload must be a JSON object.'],
    ['5', 'The payload must be a JSON object.'],
    ['{"Header":[]}', 'Header must be a JSON object.'],
    ['{"Header":"a"}', 'Header must be a JSON object.'],
    ['{"Header":5}', 'Header must be a JSON object.'],
  ] as const) {
    it(`refuses ${payload}`, () => {
      assert.throws(() => parse(payload), { name: 'CometError', code: 'INVALID_FIELD', message })
    })
  }

  for (const [title, body] of [
    ['a number', 5],
    ['an object', {}],
    ['an array of bytes', [10, 2]],
    ['not padded', 'CgJ1MRoCaGk'],
    ['url-safe', 'n-_n'],
    ['padded in the middle', 'Cg==MRoCaGk='],
    ['padded too much', 'A==='],
    ['nothing but padding', '===='],
    ['with a line end', 'CgJ1\nRoC'],
    ['with a space', 'CgJ1 RoC'],
    ['with other letters', 'CgJ1éRoC'],
  ] as const) {
    it(`refuses a Body that is ${title}`, () => {
      const error = { code: 'INVALID_FIELD', message: 'Body must be padded base64.' }
      assert.throws(() => parseGoMessage(goPayload({}, body)), error)
    })
  }

  it('checks a body of 48 MiB, and reads it as it is', () => {
    const body = `${'A'.repeat(64 * 1_048_576 - 2)}==`
    assert.equal(parse(`{"Body":"${body}"}`).body.length, body.length)
  })
})

describe('bodyOf', () => {
  for (const type of [
    ...['', 'application/protobuf', 'application/proto', 'application/x-protobuf', 'application/proto-rpc'],
    ...['application/grpc', 'application/grpc+proto', 'APPLICATION/Protobuf', 'application/grpc; x=y'],
    ...[' application/protobuf ; charset=utf-8', 5, null, undefined],
  ]) {
    it(`reads protobuf with the Content-Type ${JSON.stringify(type)}`, () => {
      assert.deepEqual(ofType(type), { isJson: false, bytes: HI })
    })
  }

  for (const type of [
    ...[
      'application/json',
      'application/json-rpc',
      'application/grpc+json',
      'application/json; charset=utf-8',
    ],
    ...['Application/JSON;charset=UTF-8'],
  ]) {
    it(`reads JSON with the Content-Type ${JSON.stringify(type)}`, () => {
      assert.deepEqual(ofType(type, HI_JSON), { isJson: true, bytes: Buffer.from(HI_JSON) })
    })
  }

  for (const type of [
    'text/plain',
    'application/octet-stream',
    'application/jsonx',
    'application/grpc+xml',
    'x',
  ]) {
    it(`refuses the Content-Type ${type}`, () => {
      const error = { code: 'INVALID_FIELD', message: 'The Content-Type is not known.' }
      assert.throws(() => ofType(type), error)
    })
  }

  it('takes off a frame of gRPC, in protobuf and in JSON', () => {
    assert.deepEqual(ofType('application/grpc', framed(HI)).bytes, HI)
    assert.deepEqual(ofType('application/grpc+proto', framed(HI)).bytes, HI)
    assert.deepEqual(
      ofType('application/grpc+json', framed(Buffer.from(HI_JSON))).bytes,
      Buffer.from(HI_JSON),
    )
    assert.equal(ofType('application/grpc', framed(Buffer.alloc(0))).bytes.length, 0)
  })

  it('leaves what is no frame: with another length, or compressed, or of another type', () => {
    const compressed = framed(HI)
    compressed[0] = 1
    for (const bytes of [framed(HI).subarray(0, -1), compressed, Buffer.alloc(4), Buffer.alloc(0)]) {
      assert.deepEqual(ofType('application/grpc', bytes).bytes, bytes)
    }
    assert.deepEqual(ofType('application/protobuf', framed(HI)).bytes, framed(HI))
  })
})
