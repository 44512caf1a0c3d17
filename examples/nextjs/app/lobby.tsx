'use client'

import { type ClientPacket, parseControlEvent } from 'comet-sse/protocol'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import type { Events } from '../lib/events'

type Props = { name: string; position: string; present: string[] }
type Said = Events['said'] & { id: string }

export function Lobby({ name, position, present }: Props) {
  const sid = useRef('')
  const [status, setStatus] = useState('Connecting…')
  const [names, setNames] = useState(present)
  const [log, setLog] = useState<Said[]>([])

  useEffect(() => {
    // A reconnect with the same clientId gets the same session back.
    const clientId = Math.random().toString(36)
    const query = new URLSearchParams({ rid: 'lobby', clientId, lastEventId: position })
    const source = new EventSource(`/api/comet?${query}`)
    const on = <Name extends keyof Events>(event: Name, listener: (data: Events[Name], id: string) => void) =>
      source.addEventListener(event, ({ data, lastEventId: id }) => listener(JSON.parse(data), id))

    source.addEventListener('comet.ready', ({ data }) => {
      sid.current = parseControlEvent('comet.ready', data).sid
      setStatus('Connected.')
    })
    // The server no longer has all that this page missed, as after a restart: load the page anew.
    source.addEventListener('comet.gap', () => location.reload())
    source.onerror = () => setStatus(source.readyState === EventSource.CLOSED ? 'Refused.' : 'Reconnecting…')

    on('came', ({ name }) => setNames((names) => [...new Set([...names, name])]))
    on('went', ({ name }) => setNames((names) => names.filter((each) => each !== name)))
    on('said', (said, id) => setLog((log) => [{ ...said, id }, ...log]))
    return () => source.close()
  }, [position])

  async function say(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = event.currentTarget
    const text = new FormData(form).get('text')
    const packet: ClientPacket = {
      type: 'SEND',
      send: { evt: JSON.stringify({ event: 'say', data: { text } }) },
    }
    const response = await fetch(`/api/comet/${sid.current}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(packet),
    }).catch(() => undefined)
    if (response?.ok) form.reset()
    else setStatus('Not sent.')
  }

  return (
    <>
      <h1>Lobby</h1>
      <p>
        You are <b>{name}</b>. Here: <span id="names">{names.join(', ')}</span>
      </p>
      <form onSubmit={say}>
        <input name="text" required maxLength={1000} autoComplete="off" aria-label="Text" />{' '}
        <button type="submit">Say</button>
      </form>
      <p role="status">{status}</p>
      <ul aria-live="polite">
        {log.map(({ name, text, id }) => (
          <li key={id}>
            {name}: {text}
          </li>
        ))}
      </ul>
    </>
  )
}
