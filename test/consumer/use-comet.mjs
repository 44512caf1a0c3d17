/** The checks of each app, by a client that does not import the package. */
import assert from 'node:assert/strict'
import { EventEmitter, on, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseMessage, UserActivityEvent } from 'comet-sse'
import { EventSource } from 'eventsource'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/**
 * @param comet the Comet of the app, which identifies a user by the header x-user, lets everybody into the lobby, and
 *   serves the client
 * @param url the URL of its stream
 * @throws when a check fails, or takes longer than ten seconds
 */
export async function useComet(comet, url, fetch = globalThis.fetch) {
  const signal = AbortSignal.timeout(10_000)
  const fetchAsAlice = (input, init) =>
    fetch(input, { ...init, headers: { ...init.headers, 'x-user': 'alice' } })
  const hooks = new EventEmitter()
  const activity = []
  comet.on('activity', ({ type, uid, rid }) => activity.push([type, uid, rid]))
  comet.on('offline', () => hooks.emit('offline'))

  const source = new EventSource(`${url}?rid=lobby`, { fetch: fetchAsAlice })
  const messages = on(source, 'message', { signal })
  const received = async () => (await messages.next()).value[0].data
  const [ready] = await once(source, 'comet.ready', { signal })
  const { sid, uid, rooms } = JSON.parse(ready.data)
  assert.deepEqual({ uid, rooms }, { uid: 'alice', rooms: ['lobby'] })

  await comet.publish({ uid: 'bob', evt: 'to another user' })
  await comet.publish({ uid: 'alice', evt: 'to a user\nin two lines' })
  await comet.publish({ rid: 'lobby', evt: 'to a room' })
  await comet.publish({ evt: { event: 'news', data: { to: 'the world' } } })
  assert.equal(await received(), 'to a user\nin two lines')
  assert.equal(await received(), 'to a room')
  const { event, data } = parseMessage(await received())
  assert.deepEqual([event, data], ['news', '{"to":"the world"}'])

  const headers = { 'content-type': 'application/json' }
  const { status } = await fetchAsAlice(`${url}/${sid}`, {
    method: 'POST',
    headers,
    body: '{"type":"HB"}',
    signal,
  })
  assert.equal(status, 204)

  const client = await fetch(`${url}/client.js`, { headers: {}, signal })
  assert.deepEqual(
    [client.status, client.headers.get('content-type')],
    [200, 'text/javascript; charset=utf-8'],
  )
  const file = fileURLToPath(import.meta.resolve('comet-sse/client.min.js'))
  assert.equal(await client.text(), await readFile(file, 'utf8'))

  source.close()
  await once(hooks, 'offline', { signal })
  assert.deepEqual(activity, [
    [ONLINE, 'alice', undefined],
    [ENTER_ROOM, 'alice', 'lobby'],
    [HEARD, 'alice', undefined],
    [LEAVE_ROOM, 'alice', 'lobby'],
    [OFFLINE, 'alice', undefined],
  ])
}
