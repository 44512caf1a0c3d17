import { connect } from './connect.js'
import { fanout } from './fanout.js'
import { heartbeat } from './heartbeat.js'
import { rooms, users } from './targets.js'

/** All scenarios by name. @type {Record<string, import('../types.js').Scenario>} */
export const scenarios = { fanout, users, rooms, connect, heartbeat }
