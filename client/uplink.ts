import type { Core, Packet, Uplink } from './core.ts'
import { CometClientError, isClientError, networkError } from './errors.ts'
import { reactionToStatus } from './reactions.ts'
import { errorOf, retryAfterOf } from './requests.ts'
import { createBackoff } from './timing.ts'

/** The longest delay before a packet is sent again, in milliseconds, and the longest one after its first failure. */
const MOST_DELAY = 5_000
const FIRST_DELAY = 250

/** Makes an uplink. */
export function createUplink(core: Core): Uplink {
  let waiting: Packet[] = []
  /** The request of the first packet. */
  let request: AbortController | undefined
  let pause: ReturnType<typeof setTimeout> | undefined
  const backoff = createBackoff(0, MOST_DELAY, FIRST_DELAY)

  const stop = () => {
    clearTimeout(pause)
    request?.abort()
    pause = request = undefined
  }

  /** Sends the first packet, if there is a session and no request is on its way. */
  const run = () => {
    const { session } = core.connection
    if (!session || request || pause) return
    for (let [first] = waiting; first; [first] = waiting) {
      const content = first.make()
      if (content) {
        send(first, content, session.sid)
        return
      }
      waiting.shift()
    }
  }

  const remove = (packet: Packet) => {
    if (packet === waiting[0]) stop()
    waiting = waiting.filter((each) => each !== packet)
    run()
  }

  /** Fails the packets that are to be given up. */
  const fail = (error: CometClientError, isGivenUp: (packet: Packet) => unknown) => {
    stop()
    const given = waiting.filter(isGivenUp)
    waiting = waiting.filter((packet) => !isGivenUp(packet))
    for (const packet of given) packet.onFailed(error)
  }

  const send = async (packet: Packet, content: object, sid: string) => {
    const abort = new AbortController()
    request = abort
    const timer = setTimeout(() => abort.abort(), packet.patience)
    let response: Response | undefined
    let answer: unknown
    let error: CometClientError | undefined
    try {
      response = await core.requests.packet(sid, content, abort.signal)
      if (response.status === 200) answer = await response.json()
      else if (response.status !== 204) error = await errorOf(response, core.requests)
    } catch (cause) {
      response = undefined
      error = isClientError(cause) ? cause : networkError('The packet failed.', cause)
    }
    clearTimeout(timer)
    // It may have been given up meanwhile.
    if (request !== abort) return
    request = undefined
    const code = error?.code
    const isGone = code === 'NO_SUCH_SESSION'
    const isPassing =
      isGone ||
      code === 'NETWORK_ERROR' ||
      (error?.status && reactionToStatus(error.status, code ?? '') === 'retry')
    if (isPassing && !packet.isVolatile) {
      // It is sent again: after a while, and by the next session if this one is gone.
      pause = setTimeout(
        () => {
          pause = undefined
          run()
        },
        backoff.next(response && retryAfterOf(response)),
      )
      if (isGone) core.connection.onSessionGone(sid)
    } else if (error && !response && code !== 'NETWORK_ERROR') {
      // The function for headers ends the client.
      core.connection.close(error)
    } else {
      backoff.reset()
      remove(packet)
      if (error) packet.onFailed(error)
      else packet.onDone(answer)
    }
  }

  return {
    add(packet) {
      waiting.push(packet)
      run()
    },
    addFirst(packets) {
      waiting.unshift(...packets)
      run()
    },
    remove,
    onLost: () =>
      fail(new CometClientError('NOT_CONNECTED', 'The connection was lost.'), ({ isVolatile }) => isVolatile),
    clear: (error) => fail(error, () => true),
  }
}
