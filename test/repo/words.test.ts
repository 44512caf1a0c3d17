import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Identifiers, options and codes that have another name now, which stands after the arrow. Whole words, upper and lower
 * case told apart. Everyday English words are not in here.
 */
const RETIRED: Readonly<Record<string, string>> = {
  // Options and codes
  backlogEvents: 'historyEvents',
  backlogBytes: 'historyBytes',
  backlogAge: 'historyAge',
  maxUplinkBytes: 'maxPacketBytes',
  uplinkRate: 'packetRate',
  KICKED: 'DISCONNECTED',
  REPLACED: 'TAKEN_OVER',
  KEPT_AWAY: 'STAY_AWAY',
  notNow: 'temporary',
  answerNotNow: 'answerTemporary',
  // Public types
  BrokerLink: 'BrokerConnection',
  BrokerNode: 'BrokerHandler',
  PresenceLink: 'PresenceConnection',
  PresenceNode: 'PresenceHandler',
  ControllerLink: 'ControllerConnection',
  ControllerNode: 'ControllerHandler',
  UplinkRequest: 'PacketRequest',
  SessionHold: 'SessionConnection',
  Hold: 'MembershipOwner',
  Batch: 'WriteBatch',
  // The history and the stream
  Backlog: 'History',
  backlog: 'history',
  Kept: 'HistoryEntry',
  isKept: 'isEvicted',
  TargetWindow: 'TargetHistory',
  Floor: 'LowWaterMark',
  Owed: 'ReplayItem',
  owed: 'replay',
  owe: 'addToReplay',
  recall: 'replay',
  recentOf: 'recentItemsOf',
  pastOf: 'pastItems',
  Outbox: 'WriteQueue',
  outbox: 'writeQueue',
  Pending: 'PendingFrames',
  // Sessions and presence
  Few: 'SmallSet',
  Timetable: 'TimerWheel',
  timetable: 'wheel',
  Gathering: 'ConnectBatcher',
  gathering: 'connectBatcher',
  Pulse: 'HeartbeatGroups',
  Upkeep: 'Liveness',
  upkeep: 'liveness',
  Duties: 'LivenessTimers',
  duties: 'timers',
  MarkKind: 'StayAwayKind',
  parseMark: 'parseStayAwayToken',
  isKeptAway: 'mustStayAway',
  World: 'PresenceState',
  Uplinks: 'UplinkStates',
  // The node and its operations
  Hub: 'Node',
  hub: 'node',
  HubWork: 'NodeCallbacks',
  HubCommand: 'ClusterCommands',
  ownerOf: 'issuerOf',
  askOwner: 'requestIssuer',
  askNode: 'requestNode',
  askHome: 'requestOwner',
  askAll: 'requestAll',
  makeRoom: 'enforceSessionLimits',
  arrivals: 'connecting',
  Superseded: 'TakenOver',
  superseded: 'takenOver',
  supersede: 'takeOver',
  overtake: 'takeOver',
  isOvertaken: 'wasTakenOver',
  replaceSession: 'closeTakenOver',
  kick: 'disconnect',
  kicked: 'disconnected',
  CometGate: 'AdapterComet',
  SessionHost: 'SessionContext',
  StreamHost: 'StreamContext',
  HostOptions: 'AppOptions',
}

/** Where a retired word means something else. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'CHANGELOG.md': Object.keys(RETIRED),
  'test/repo/words.test.ts': Object.keys(RETIRED),
  // TCP's queue of connections that are not accepted yet.
  'bench/contenders/http.js': ['backlog'],
  'bench/contenders/libraries.js': ['backlog'],
  'bench/contenders/nchan.js': ['backlog'],
}

const CODE = ['*.ts', '*.mts', '*.cts', '*.js', '*.mjs', '*.cjs', '*.html', '*.md', '*.json']

describe('the words', () => {
  it('have no retired identifier, option or code among them', () => {
    const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...CODE], {
      cwd: root,
      encoding: 'utf8',
    })
    const found = files
      .trim()
      .split('\n')
      .filter((file) => !file.endsWith('package-lock.json'))
      .flatMap((file) => retiredIn(file))
    assert.deepEqual(found, [])
  })

  it('are looked up as whole words, upper and lower case told apart', () => {
    assert.deepEqual(wordsIn('KICKED the hub, not Hubs; github is none').sort(), ['KICKED', 'hub'])
  })
})

function retiredIn(file: string): string[] {
  const allowed = EXCEPTIONS[file] ?? []
  return readFileSync(join(root, file), 'utf8')
    .split('\n')
    .flatMap((line, index) =>
      wordsIn(line)
        .filter((word) => !allowed.includes(word))
        .map((word) => `${file}:${index + 1}: ${word} → ${RETIRED[word]}`),
    )
}

function wordsIn(text: string): string[] {
  return (text.match(/[A-Za-z_]\w*/g) ?? []).filter((word) => Object.hasOwn(RETIRED, word))
}
