import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const APP = fileURLToPath(new URL('../support/debug-app.ts', import.meta.url))

async function stderrOf(NODE_DEBUG: string): Promise<string> {
  const env = { ...process.env, NODE_DEBUG }
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', APP], { env })
  return stderr
}

describe('NODE_DEBUG', () => {
  it('=comet prints one line for each thing that happens, which no client can break', async () => {
    const lines = (await stderrOf('comet')).trim().split('\n')
    const expected = [
      /^COMET \d+: session \S+ of "alice" opened: rooms \[\], recovered false$/,
      /^COMET \d+: session \S+ has a gap: \[\{"uid":"alice"\},\{\}\]$/,
      /^COMET \d+: session \S+ of "x\\u001b\[31m" opened: rooms \[\], recovered false$/,
      /^COMET \d+: session refused: UNAUTHENTICATED "Nobody is signed in\."$/,
      /^COMET \d+: packet to session \S+ refused: ROOM_REFUSED "May not enter \\"den\\": canEnter said no\."$/,
      /^COMET \d+: command uplink to node \S+ failed: "The node that owns the session did not answer in time\."$/,
      /^COMET \d+: packet to session \S+ refused: OWNER_UNREACHABLE /,
      /^COMET \d+: session \S+ of "alice" closed: DISCONNECTED$/,
      /^COMET \d+: session \S+ of "x\\u001b\[31m" closed: SHUTDOWN$/,
    ]
    for (const line of expected) {
      assert.ok(
        lines.some((each) => line.test(each)),
        `no ${line} in\n${lines.join('\n')}`,
      )
    }
  })

  it('of something else prints nothing', async () => {
    assert.equal(await stderrOf('other'), '')
  })
})
