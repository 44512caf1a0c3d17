import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { Secrets } from '../../adapters/nats/secrets.ts'
import { Signer } from '../../adapters/nats/signature.ts'
import { Gate } from '../support/inbox.ts'

const signedWith = (secret: string) =>
  ['Comet-Skip', 's', new Signer(secret).sign('Comet-Skip', 's', 'text', ''), ''] as const

describe('Secrets', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval'] })
  })
  afterEach(() => clock.uninstall())

  it('ask once for the secret, which signs and is believed from then on', async () => {
    let asked = 0
    const secrets = new Secrets(async () => `secret ${++asked}`)
    assert.throws(() => secrets.signer, { message: 'No secret is known yet.' })
    assert.equal(secrets.verify(...signedWith('secret 1')), undefined)
    await secrets.known()
    await secrets.known()
    assert.equal(asked, 1)
    assert.equal(secrets.verify(...signedWith('secret 1')), 'text')
    assert.equal(secrets.signer.sign('Comet-Skip', 's', 'text', ''), signedWith('secret 1')[2])
    secrets.close()
  })

  it('follow presence to another secret within two seconds, and believe the former one, but no older one', async () => {
    let secret = 'a'
    const secrets = new Secrets(async () => secret)
    await secrets.known()
    for (const next of ['b', 'b', 'c']) {
      secret = next
      await clock.tickAsync(2_000)
    }
    assert.equal(secrets.signer.sign('Comet-Skip', 's', 'text', ''), signedWith('c')[2])
    const believed = ['a', 'b', 'c'].filter((each) => secrets.verify(...signedWith(each)) !== undefined)
    assert.deepEqual(believed, ['b', 'c'])
    secrets.close()
  })

  it('reject as presence does until one is known, and keep what they know after that', async () => {
    let answer: string | Error = new Error('away')
    const secrets = new Secrets(async () => {
      if (typeof answer !== 'string') throw answer
      return answer
    })
    await assert.rejects(secrets.known(), { message: 'away' })
    assert.equal(clock.countTimers(), 0)
    answer = 'a'
    await secrets.known()
    answer = new Error('away')
    await clock.tickAsync(10_000)
    await secrets.known()
    assert.equal(secrets.verify(...signedWith('a')), 'text')
    secrets.close()
  })

  it('ask no more once they are closed, also when an answer comes only then', async () => {
    const gate = new Gate()
    let asked = 0
    const secrets = new Secrets(async () => {
      asked += 1
      await gate.pass()
      return 'a'
    })
    const known = secrets.known()
    secrets.close()
    gate.open()
    await known
    assert.equal(clock.countTimers(), 0)
    await clock.tickAsync(10_000)
    assert.equal(asked, 1)
  })
})
