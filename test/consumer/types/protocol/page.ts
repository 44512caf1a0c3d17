import {
  type ClientPacket,
  type CloseEvent,
  CometError,
  type ControlEvents,
  type ErrorAnswer,
  type GapEvent,
  type Message,
  parseControlEvent,
  parseMessage,
  type ReadyEvent,
  type UserActivityEvent,
} from 'comet-sse/protocol'
import { same } from '../same.js'

// A page, which has the types of browsers and none of Node.js.
const source = new EventSource('/comet?rid=lobby')
let ready: ReadyEvent | undefined
source.addEventListener('comet.ready', ({ data }) => {
  ready = parseControlEvent('comet.ready', data)
  same<typeof ready.rooms, readonly string[]>(true)
})
source.addEventListener('comet.gap', ({ data }) => {
  const { targets }: GapEvent = parseControlEvent('comet.gap', data)
  for (const target of targets) if ('rid' in target) same<typeof target.rid, string>(true)
})
source.addEventListener('comet.close', ({ data }) => {
  const { code, reconnect }: CloseEvent = parseControlEvent('comet.close', data)
  if (!reconnect) source.close()
  if (code === 'TAKEN_OVER' || code === 'UNAVAILABLE') return
  // @ts-expect-error
  if (code === 'NO_SUCH_CODE') return
})
source.addEventListener('message', ({ data }) => {
  const message: Required<Message> = parseMessage(data)
  same<typeof message.time, bigint>(true)
})
same<keyof ControlEvents, 'comet.ready' | 'comet.heartbeat' | 'comet.gap' | 'comet.close'>(true)
// @ts-expect-error
parseControlEvent('comet.none', '{}')

async function send(packet: ClientPacket): Promise<void> {
  const body = JSON.stringify(packet)
  const response = await fetch(`/comet/${ready?.sid}`, { method: 'POST', body })
  if (response.ok) return
  const { error }: ErrorAnswer = await response.json()
  if (error.code === 'TOO_MANY_PACKETS') throw new CometError(error.code, error.message)
}
send({ type: 'HB' })
send({ type: 'JOIN', join: { rid: 'lobby', recent: 20 } })
send({ type: 'LEAVE', leave: { rid: 'lobby' } })
send({ type: 'SEND', send: { evt: JSON.stringify({ text: 'hi' }), id: '1' } })
send({ type: 'BYE', bye: { connection: ready?.connection ?? '' } })
// @ts-expect-error
send({ type: 'JOIN', rid: 'lobby' })
// @ts-expect-error
send({ type: 'LEAVE' })
same<typeof UserActivityEvent.Type.ONLINE, 1>(true)
