import { type ClientPacket, parseControlEvent } from 'comet-sse/protocol'
import { useEffect, useRef, useState } from 'react'
import type { Events } from '../events.ts'

/** Connects to the lobby for as long as the component is shown. */
export function useLobby(name: string) {
  const sid = useRef('')
  const [status, setStatus] = useState('Connecting…')
  const [log, setLog] = useState<{ position: string; line: string }[]>([])

  useEffect(() => {
    // A reconnect with the same clientId gets the same session back.
    const clientId = Math.random().toString(36)
    const source = new EventSource(`/comet?${new URLSearchParams({ name, rid: 'lobby', clientId })}`)
    source.addEventListener('comet.ready', ({ data }) => {
      sid.current = parseControlEvent('comet.ready', data).sid
      setStatus('Connected.')
    })
    source.onerror = () => setStatus(source.readyState === EventSource.CLOSED ? 'Refused.' : 'Reconnecting…')

    const on = <Name extends keyof Events>(event: Name, format: (data: Events[Name]) => string) =>
      source.addEventListener(event, ({ data, lastEventId: position }) => {
        const line = format(JSON.parse(data))
        setLog((log) => [{ position, line }, ...log])
      })
    on('said', ({ name, text }) => `${name}: ${text}`)
    on('came', ({ name }) => `${name} came`)
    on('went', ({ name }) => `${name} went`)
    return () => source.close()
  }, [name])

  /** Sends a text to the lobby. @returns whether the server took it */
  async function say(text: string): Promise<boolean> {
    const packet: ClientPacket = {
      type: 'SEND',
      send: { evt: JSON.stringify({ event: 'say', data: { text } }) },
    }
    const response = await fetch(`/comet/${sid.current}?${new URLSearchParams({ name })}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(packet),
    }).catch(() => undefined)
    return response?.ok ?? false
  }

  return { status, log, say }
}
