import { type FormEvent, useState } from 'react'
import { useLobby } from './use-lobby.ts'

export function Lobby({ name }: { name: string }) {
  const { status, log, say } = useLobby(name)
  const [failed, setFailed] = useState(false)

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = event.currentTarget
    const sent = await say(String(new FormData(form).get('text')))
    setFailed(!sent)
    if (sent) form.reset()
  }

  return (
    <>
      <h1>Lobby</h1>
      <p>
        You are <b>{name}</b>. <a href="?name=bob">Open a window as bob</a>.
      </p>
      <form onSubmit={submit}>
        <input name="text" required maxLength={1000} autoComplete="off" aria-label="Text" />{' '}
        <button type="submit">Say</button>
      </form>
      <p role="status">{failed ? 'Not sent.' : status}</p>
      <ul aria-live="polite">
        {log.map(({ position, line }) => (
          <li key={position}>{line}</li>
        ))}
      </ul>
    </>
  )
}
