import { cookies } from 'next/headers'
import { comet } from '../lib/realtime'
import { signIn } from './actions'
import { Lobby } from './lobby'

export default async function Page() {
  const name = (await cookies()).get('name')?.value
  if (name === undefined) {
    return (
      <form action={signIn}>
        <input name="name" placeholder="Your name" required maxLength={24} />{' '}
        <button type="submit">Enter</button>
      </form>
    )
  }
  // First the position, then the data: the page gets all that changes after it.
  const position = await comet.position()
  const members = await comet.members('lobby')
  return <Lobby name={name} position={position} present={members.map(({ uid }) => uid)} />
}
