const CLOCK = 'It fakes the timers of the process, by which the client of Redis lives, too.'
const LOOKS =
  'It looks without waiting. In memory all has happened when a call returns, and on Redis a moment after it.'
const READY = 'It acts while its client connects, which this run lets wait until the node has reached Redis.'
const GATE =
  'It holds back the next answer of presence, which on Redis is that to a question of another node.'
const TOLD = 'What a node tells all others arrives a moment after its call has settled, and acts on'

/** The tests of the core that do not hold on Redis, by their full title, each with its reason. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  "Comet.on('activity') under random operations keeps every rule and agrees with a simple model, on 1 node(s)": `${CLOCK} See presence-twin.test.ts, which lets the script of Redis live by a clock of the test.`,
  "Comet.on('activity') under random operations keeps every rule and agrees with a simple model, on 3 node(s)": `${CLOCK} See presence-twin.test.ts.`,
  'Options activity and heard have a node hear the transitions of all nodes, and who was heard, in one order':
    LOOKS,
  'Options activity and heard tell other nodes at most once a second that a user was heard': LOOKS,
  'Options activity and heard keep to the node by default': LOOKS,
  'Cluster: nodes that share a broker keep a user present after its node has closed, until its grace is over':
    CLOCK,
  'Comet.close makes packets get 404, and publish fail, from then on':
    'A node that has left asks Redis nothing more, so that a session may be on another one: 503 instead of 404.',
  'Comet.connect delivers what an "online" hook publishes to its user, after comet.ready': LOOKS,
  'Comet.connect refuses a client when the Comet closes while canEnter decides': READY,
  'Comet.connect sends heartbeats with the current position, and none after the end': CLOCK,
  'Comet.connect while canEnter has not answered asks about no room of a client that has gone already': READY,
  'Comet.connect while canEnter has not answered is ended by Comet.disconnect, and does not wait for canEnter':
    READY,
  'Comet.connect while presence has not answered is taken over by a later connection on two nodes, whichever answer comes first':
    LOOKS,
  'Comet.connect while presence has not answered obeys Comet.leave from any node: the session is not in that room':
    GATE,
  'Comet.connect with a position loses nothing when it is ended by disconnect before its stream has begun, and comes back':
    READY,
  'Comet.disconnect ends a client that canEnter is being asked about': READY,
  'Comet.disconnect ends a client that was identified just before': READY,
  'Comet.publish to a session is forgotten when the session has ended for good, and makes nobody incomplete':
    LOOKS,
  'Comet.publishAll ends with SHUTTING_DOWN when the Comet is closed, and tells the pages':
    'It closes with drain: 0, and the last event of a run needs the time of a way to Redis.',
  "Hooks 'connect' and 'disconnect' come before OFFLINE, and after the activity of the newcomer": LOOKS,
  'Comet.publish: a named event goes out with null for data that is undefined, because an event without data reaches nobody':
    LOOKS,
  'Takeover by clientId readmits the previous connection when the one that took over has gone, on any node':
    LOOKS,
  'Takeover by clientId ends a half-open previous connection at once and for good': LOOKS,
  'A node that missed what another one asked it leaves a session in a room that it has entered since': `${TOLD} who connects then: canEnter was asked before it, so that its answer is void.`,
  'Rooms in the order of presence are entered by Comet.enter for a session that is being taken over, and left by Comet.leave': `${TOLD} who connects then: the disconnect of its first round ends the client of the second.`,
  'Rooms in the order of presence are not entered by a request for a stream that canEnter allows after Comet.leave, on two nodes':
    'What a node tells all others arrives a moment after its call has settled: the client may be admitted before it.',
}
