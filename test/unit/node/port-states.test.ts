import assert from 'node:assert/strict'
import { Hooks } from '../../../lib/hooks/hooks.ts'
import { type PortName, PortStates } from '../../../lib/node/port-states.ts'

describe('PortStates', () => {
  const reset = new Error('connection reset')
  let heard: string[]
  let states: PortStates

  beforeEach(() => {
    heard = []
    const hooks = new Hooks()
    hooks.on('status', ({ port, up }) => heard.push(`${port} ${up ? 'up' : 'down'}`))
    hooks.on('error', ({ message }) => heard.push(message))
    states = new PortStates(hooks)
  })

  const set = (up: boolean, ...ports: readonly PortName[]) => {
    for (const port of ports) states.set(port, up ? { up } : { up, error: reset })
  }

  it("tell 'error' once of an outage of all ports, and 'status' of each", () => {
    set(false, 'presence', 'broker', 'controller')
    set(true, 'broker', 'controller')
    set(false, 'broker')
    set(true, 'broker', 'presence')
    assert.deepEqual(heard, [
      'The presence cannot be reached: connection reset',
      ...['presence down', 'broker down', 'controller down', 'broker up', 'controller up'],
      ...['broker down', 'broker up', 'presence up'],
    ])
  })

  it("tell 'error' of the next outage again", () => {
    set(false, 'broker', 'presence')
    set(true, 'broker', 'presence')
    set(false, 'presence')
    assert.deepEqual(heard.slice(-2), ['The presence cannot be reached: connection reset', 'presence down'])
  })
})
