import assert from 'node:assert/strict'
import { acceptsEventStream } from '../../../lib/http/accept.ts'

describe('acceptsEventStream', () => {
  const ACCEPTED = [
    undefined,
    '',
    ' ',
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    'text/*',
    'TEXT/*',
    '*/*',
    'Text/Event-Stream',
    'text/html, */*;q=0.1',
    'text/html,text/event-stream ; q=0.5',
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
    // The most specific range decides, wherever it stands.
    '*/*;q=0, text/event-stream',
    'text/*;q=0, text/event-stream;q=0.001',
    'text/event-stream, text/*;q=0, */*;q=0',
    '*/*;q=0, text/*',
    // Of two that are as specific, the one that accepts.
    'text/event-stream;q=0, text/event-stream',
    '\ttext/event-stream\t;\tq=1\t',
    ', ,text/event-stream,',
    'application/json;profile="a, b;q=0", text/event-stream',
    'text/event-stream;q=nonsense',
  ]
  const REFUSED = [
    'text/html',
    'application/json, text/html;q=0.9',
    'text/event-stream-foo',
    'x-text/event-stream',
    'text/event-stream;q=0',
    'text/event-stream;q=0.000',
    'text/event-stream ; Q = 0',
    'text/event-stream;charset=utf-8;q=0',
    'text/*;q=0',
    '*/*;q=0',
    '*/*, text/event-stream;q=0',
    'text/*, */*, text/event-stream;q=0',
    'text/*;q=0, */*',
    'application/*',
    'application/json;profile="text/event-stream"',
    'application/json;profile="a, text/event-stream, b"',
    'constructor',
    ',',
  ]
  for (const accept of ACCEPTED) {
    it(`takes ${JSON.stringify(accept)}`, () => assert.equal(acceptsEventStream(accept), true))
  }
  for (const accept of REFUSED) {
    it(`refuses ${JSON.stringify(accept)}`, () => assert.equal(acceptsEventStream(accept), false))
  }
})
