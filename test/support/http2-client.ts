import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { eventParser } from './event-parser.ts'
import { Inbox } from './inbox.ts'

/** A stream of events among others on its connection. */
export interface Http2Stream {
  readonly stream: ClientHttp2Stream
  readonly sid: string
  next(event: string): Promise<{ readonly data: string }>
  /** Settles when the server has ended the stream. */
  readonly ended: Promise<unknown>
}

/** A client that sends all its requests over one connection. */
export class Http2Client {
  readonly session: ClientHttp2Session

  constructor({ origin }: { readonly origin: string }) {
    this.session = http2.connect(origin)
  }

  /** Opens a stream of events. Settles when the client was admitted. */
  async open(user: string): Promise<Http2Stream> {
    const stream = this.session.request({ ':path': `/comet?u=${user}` }).setEncoding('utf8')
    const inbox = new Inbox<{ event: string; data: string }>((block) => block.event)
    stream.on(
      'data',
      eventParser((block) => inbox.push(block)),
    )
    stream.on('close', () => inbox.end())
    stream.on('error', () => {})
    const next = (name: string) => inbox.next(({ event }) => event === name, name)
    const ended = new Promise((resolve) => stream.once('end', resolve))
    const { sid } = JSON.parse((await next('comet.ready')).data) as { sid: string }
    return { stream, next, sid, ended }
  }

  /** Begins a packet, whose body the caller writes. */
  begin(user: string, sid: string): ClientHttp2Stream {
    return this.session.request({
      ':method': 'POST',
      ':path': `/comet/${sid}`,
      'x-user': user,
      'content-type': 'application/json',
    })
  }

  /** Sends a packet. @returns the status and the body of the answer */
  post(user: string, sid: string, packet: object): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = this.begin(user, sid).setEncoding('utf8')
      let text = ''
      request.on('response', ({ ':status': status }) => {
        text += `${status} `
      })
      request.on('data', (piece) => {
        text += piece
      })
      request.on('end', () => resolve(text)).on('error', reject)
      request.end(JSON.stringify(packet))
    })
  }
}
