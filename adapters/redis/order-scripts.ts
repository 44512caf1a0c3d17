import { randomBytes } from 'node:crypto'
import { FORMAT } from './keys.ts'
import { numberedScript } from './numbered-calls.ts'
import { LUA_NOW, LUA_SERVER_RUN, Script } from './script.ts'

/**
 * Lua about the one order of a namespace: a stream of entries, and what is known of its end.
 *
 * Each entry names the one before it by a link (`p`: its id, and after a dot the index of its last event), so that a
 * reader notices when one is missing; and the epoch (`e`) it is of. `w` names the call that wrote it, and `d` has a JSON
 * list of what was published. An entry whose `d` is empty is a marker: it begins an epoch.
 *
 * An epoch ends when Redis has lost entries: positions of different epochs do not compare. Ids are made here and not by
 * XADD, so that they stay above those that are known, whatever happened to the stream.
 */
const LUA_ORDER = `
local function text(number)
  return string.format('%.0f', number)
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq)
end

local function before(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  return ams < bms or (ams == bms and aseq < bseq)
end

local function touch(age)
  redis.call('PEXPIRE', META, age)
  redis.call('PEXPIRE', EVENTS, age)
  redis.call('PEXPIRE', MARKS, age)
end

local function serverRun()
  ${LUA_SERVER_RUN}
end

local function isOther(known, run)
  return run ~= '' and run ~= known
end

local function begin(epoch, age)
  local last = redis.call('HGET', META, 'link') or '0-0.0'
  if redis.call('EXISTS', EVENTS) == 1 then
    local info = redis.call('XINFO', 'STREAM', EVENTS)
    for at = 1, #info, 2 do
      if info[at] == 'last-generated-id' and before(last, info[at + 1]) then last = info[at + 1] end
    end
  end
  local ms = text(math.max(now(), parts(last) + 1))
  local id = ms .. '-1'
  redis.call('XADD', EVENTS, id, 'e', epoch, 'p', ms .. '-0.0', 'w', '', 'd', '')
  redis.call('DEL', MARKS)
  local sum = redis.call('HGET', META, 'sum') or '0'
  redis.call('HSET', META, 'format', ${FORMAT}, 'epoch', epoch, 'link', id .. '.0', 'start', id, 'sum', sum, 'marked', sum,
    'run', serverRun())
  touch(age)
  return id .. '.0'
end

local function keep(name, value)
  local known = redis.call('HMGET', META, name, name .. 'Since')
  if not known[1] or value >= tonumber(known[1]) or now() > tonumber(known[2]) + 3600000 then
    redis.call('HSET', META, name, text(value), name .. 'Since', nowText())
  end
end

-- What the stream has room for: as much as the largest history of the last hour.
local function settle(age, bytes)
  keep('age', tonumber(age))
  keep('bytes', tonumber(bytes))
end
`

/** Lua: refuses keys of a later version. */
const LUA_FORMAT = `
local function check(format)
  if format and format ~= '${FORMAT}' and tonumber(format) > ${FORMAT} then
    error(redis.error_reply('FORMAT ' .. format))
  end
end
`

const LUA_KEYS = 'local META, EVENTS, MARKS = KEYS[1], KEYS[2], KEYS[3]'

/** The keys of {@link OPEN} and {@link CHECK}, by their names in Keys. */
export const ORDER_KEYS = ['meta', 'events', 'marks'] as const

/**
 * Finds, or begins, the order. It begins an epoch, too, when the server is another process than the one that the epoch
 * is of, and no node has checked that nothing was lost: this node cannot know, and clients may have seen what is gone.
 *
 * ARGV: an epoch to use if there is none, the keys' time to live, whether the node receives
 * ('1'), the age and the bytes of its history, and those for which the stream must have room.
 *
 * Answers the epoch, the link to the last entry, the time, the policy of Redis for want of memory, and the link after
 * which entries are younger than the age.
 */
export const OPEN = new Script(`${LUA_NOW}
${LUA_KEYS}
${LUA_FORMAT}
${LUA_ORDER}
if not redis.REDIS_VERSION_NUM or redis.REDIS_VERSION_NUM < 0x00070000 then
  return redis.error_reply('VERSION is too old')
end
local known = redis.call('HMGET', META, 'format', 'epoch', 'link', 'start', 'run')
check(known[1])
local epoch, link, start = known[2], known[3], known[4]
if not epoch or isOther(known[5], serverRun()) then
  epoch, link = ARGV[1], begin(ARGV[1], ARGV[2])
  start = link
end
touch(ARGV[2])
local floor = link
if ARGV[3] == '1' then
  settle(ARGV[6], ARGV[7])
  local from = text(math.max(0, now() - tonumber(ARGV[4]))) .. '-0'
  if before(from, start) then from = string.match(start, '^[^.]+') end
  local first = redis.call('XRANGE', EVENTS, from, '+', 'COUNT', 1)[1]
  if first and tonumber(ARGV[5]) > 0 then
    local entry, fields = {}, first[2]
    for at = 1, #fields, 2 do entry[fields[at]] = fields[at + 1] end
    floor = entry.d == '' and first[1] .. '.0' or entry.p or link
  end
end
local info, policy = redis.pcall('INFO', 'memory'), ''
if type(info) == 'string' then policy = string.match(info, 'maxmemory_policy:([%w-]+)') or '' end
return {epoch, link, nowText(), policy, floor}
`)

/**
 * Appends, as a numbered call. KEYS: those of {@link ORDER_KEYS}, the nodes, and the inboxes that are named. ARGV: an
 * epoch to use if a new one begins, the age and bytes that the stream has room for if no node has told them, the epoch
 * that the caller's last call was answered with; then operations:
 *
 * - `e`, the index of its last event, and the data: appends an entry
 * - `c`, the place of an inbox in KEYS, its node, the time after which it is void, and the data: sends a command, after
 *   what was appended before it
 *
 * Answers the epoch, the link to the last entry, and a digit for each command: 1 when it was sent, 0 when there is no
 * such node, 2 when it is void.
 *
 * It runs for each lone event, so it converts few numbers, which takes Redis longer than its commands. Every 16th call
 * trims by age.
 */
export const APPEND = numberedScript(`
local META, EVENTS, MARKS, NODES = KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local known = redis.call('HMGET', META, 'format', 'epoch', 'link', 'marked', 'bytes')
local epoch, link, marked = known[2], known[3], tonumber(known[4] or 0)
local ms, minimum, size, flags = nowText(), nil, 0, ''
if known[1] ~= '${FORMAT}' then
  ${LUA_FORMAT}
  check(known[1])
end

local function restart()
  ${LUA_ORDER}
  epoch, link = ARGV[5], begin(ARGV[5], ARGV[4])
end

-- Unless another node has noticed already.
if not epoch or (lost and epoch == ARGV[8]) then restart() end
if tonumber(number) % 16 == 1 then
  local age = tonumber(redis.call('HGET', META, 'age') or ARGV[6])
  minimum = string.format('%.0f', math.max(0, tonumber(ms) - age))
end

local function add(index, data)
  local dash = string.find(link, '-', 1, true)
  local last, id = string.sub(link, 1, dash - 1), ms .. '-1'
  if #ms < #last or #ms == #last and ms <= last then id = last .. '-' .. (string.match(link, '^(%d+)', dash + 1) + 1) end
  local writer, added = field .. '#' .. number, nil
  if minimum then
    added = redis.pcall('XADD', EVENTS, 'NOMKSTREAM', 'MINID', '~', minimum, id,
      'e', epoch, 'p', link, 'w', writer, 'd', data)
  else
    added = redis.pcall('XADD', EVENTS, 'NOMKSTREAM', id, 'e', epoch, 'p', link, 'w', writer, 'd', data)
  end
  if type(added) ~= 'string' then return added or 'gone' end
  link, size = id .. '.' .. index, size + #data + 100
end

local at = 9
while at <= #ARGV do
  if ARGV[at] == 'e' then
    local failed = add(ARGV[at + 1], ARGV[at + 2])
    if failed then
      if type(failed) == 'table' and string.sub(failed.err, 1, 4) == 'OOM ' then error(failed) end
      restart()
      failed = add(ARGV[at + 1], ARGV[at + 2])
      if failed then error(failed) end
    end
    at = at + 3
  else
    local lease = redis.call('ZSCORE', NODES, ARGV[at + 2])
    if not lease or tonumber(lease) <= tonumber(ms) then
      flags = flags .. '0'
    elseif tonumber(ARGV[at + 3]) <= tonumber(ms) then
      flags = flags .. '2'
    else
      local inbox = KEYS[tonumber(ARGV[at + 1])]
      redis.call('XADD', inbox, 'MINID', '~', string.format('%.0f', tonumber(ms) - 60000), '*',
        'a', link, 't', ARGV[at + 3], 'd', ARGV[at + 4])
      redis.call('PEXPIRE', inbox, ARGV[4])
      flags = flags .. '1'
    end
    at = at + 5
  end
end

if size > 0 then
  redis.call('HSET', META, 'link', link)
  local sum = redis.call('HINCRBY', META, 'sum', size)
  local bytes = tonumber(known[5] or ARGV[7])
  if sum - marked >= bytes / 16 then
    local now = string.format('%.0f', sum)
    redis.call('HSET', META, 'marked', now)
    redis.call('RPUSH', MARKS, now .. ' ' .. link)
    redis.call('PEXPIRE', MARKS, ARGV[4])
    for _ = 1, 4 do
      local past, ms, seq = string.match(redis.call('LINDEX', MARKS, 0) or '', '^(%d+) (%d+)-(%d+)')
      if not past or sum - tonumber(past) < bytes then break end
      redis.call('XTRIM', EVENTS, 'MINID', '~', ms .. '-' .. (seq + 1))
      redis.call('LPOP', MARKS)
    end
  end
end
if ARGV[3] == '1' then
  for at = 3, 5 do redis.call('PEXPIRE', KEYS[at], ARGV[4]) end
end
return epoch .. ' ' .. link .. ' ' .. flags
`)

/**
 * Tells whether what a node has read is still there, and begins an epoch when it is not, so that all nodes notice. After
 * that the process of the server counts as checked.
 *
 * ARGV: an epoch to use then, the keys' time to live, whether to renew it ('1'), the age and bytes for which the stream
 * must have room, the node's epoch, the last entry it has read, and the call that wrote it ('': unknown), whether
 * entries are known to be lost ('1').
 *
 * Answers the epoch, the link to the last entry, the epoch's first entry, the time, and whether all entries that the
 * node has not read were trimmed ('1').
 */
export const CHECK = new Script(`${LUA_NOW}
${LUA_KEYS}
${LUA_FORMAT}
${LUA_ORDER}
local known = redis.call('HMGET', META, 'format', 'epoch', 'link', 'start', 'run')
check(known[1])
local epoch, link, start = known[2], known[3], known[4]
local id, writer, run = ARGV[7], ARGV[8], serverRun()
local isNew = isOther(known[5], run)
-- Who has read another epoch cannot tell what another process has lost of this one.
local lost = not epoch or isNew and epoch ~= ARGV[6]
if epoch == ARGV[6] then
  lost = ARGV[9] == '1' or before(link, id) or redis.call('EXISTS', EVENTS) == 0
  if not lost then
    local found = redis.call('XRANGE', EVENTS, id, id)[1]
    if not found then
      -- What is older than all that is there was trimmed. What is younger was lost.
      local first = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
      lost = isNew or first ~= nil and before(first[1], id)
    elseif writer ~= '' then
      for at = 1, #found[2], 2 do
        if found[2][at] == 'w' then lost = found[2][at + 1] ~= writer end
      end
    end
  end
end
if lost then
  epoch, link = ARGV[1], begin(ARGV[1], ARGV[2])
  start = link
elseif isNew then
  redis.call('HSET', META, 'run', run)
end
if ARGV[3] == '1' then
  settle(ARGV[4], ARGV[5])
  touch(ARGV[2])
end
local missed = '0'
if epoch == ARGV[6] and before(id, link) then
  if #redis.call('XRANGE', EVENTS, '(' .. id, '+', 'COUNT', 1) == 0 then missed = '1' end
end
return {epoch, link, string.match(start, '^[^.]+'), nowText(), missed}
`)

/** Tells the end of the order: the epoch, and the link to the last entry. They are empty when there is none. */
export const WHERE = new Script(`
local known = redis.call('HMGET', KEYS[1], 'epoch', 'link')
return {known[1] or '', known[2] or ''}
`)

/** Makes the name of an epoch, which no other one has. */
export function newEpoch(): string {
  return randomBytes(6).toString('base64url')
}
