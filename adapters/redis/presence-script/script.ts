import { CALL_BEGIN, CALL_END } from './calls.ts'
import { CONSTANTS } from './constants.ts'
import { ENTERING } from './entering.ts'
import { LEASES } from './leases.ts'
import { LEAVING } from './leaving.ts'
import { OPERATIONS } from './operations.ts'
import { READS } from './reads.ts'
import { RESTORING } from './restoring.ts'
import { STEPS } from './steps.ts'
import { STORE } from './store.ts'
import { WRITING } from './writing.ts'

/** Makes a part of the script only where a call asks for one of some operations. */
function onlyFor(operations: readonly string[], part: string): string {
  return `if ${operations.map((name) => `s.asked.${name}`).join(' or ')} then\n${part}\nend\n`
}

/** Makes each operation only where a call asks for it. */
function onlyAsked(part: string): string {
  return part.replace(/^function operations\.(\w+)[\s\S]*?\nend$/gm, (operation, name: string) =>
    onlyFor([name], operation),
  )
}

const ENTERS = ['Connect', 'Enter', 'SetInfo', 'Restore']
const LEAVES = ['Disconnect', 'Leave', 'Undo', 'EndGraceOfUser', 'endGraceOfSession', 'endGraceOfRoom']
const OF_LEASES = ['sweep', 'renew', 'leaveCluster', 'join', 'give', 'giveLast']
const RESTORES = ['Restore', 'settle', 'join']

const PARTS = [
  CALL_BEGIN,
  STORE,
  WRITING,
  STEPS,
  onlyFor(ENTERS, ENTERING),
  onlyFor([...LEAVES, ...OF_LEASES, ...RESTORES], LEAVING),
  onlyAsked(OPERATIONS),
  onlyAsked(READS),
  onlyFor(OF_LEASES, onlyAsked(LEASES)),
  onlyFor(RESTORES, onlyAsked(RESTORING)),
  CALL_END,
].join('')

/** Makes a table that has room for all fields that a part of the script gives it: growing would cost more than it does. */
function table(name: string): string {
  const fields = new Set(
    Array.from(PARTS.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, 'g')), ([, field]) => field),
  )
  return `local ${name} = { ${Array.from(fields, (field) => `${field} = false`).join(', ')} }\n`
}

/**
 * The script of presence: every step of `lib/memory/presence-state.ts`, atomic over all nodes. It decides the
 * transitions and appends them to the record in the same step.
 *
 * `s` is what a call works on, `f` has the functions that work on it, and `operations` what a call may ask for: in
 * tables, because Redis makes the functions anew for each call, and local variables that they share would make that slow.
 */
export const PRESENCE_SCRIPT = [table('s'), table('f'), 'local operations = {}\n', PARTS]
  .join('')
  .replace(/\$([A-Z_]+)/g, (_, name: string) => String(CONSTANTS[name]))
