import { LUA_SERVER_RUN } from '../script.ts'

/**
 * Parts of the script of presence around its operations. A call brings:
 *
 * | argument | |
 * | --- | --- |
 * | node | the node that calls |
 * | number | of the call, one more than of the last one; 0 when it only reads; `join` |
 * | attempt | tells the attempts of one call apart, which may have fewer operations |
 * | epoch | the epoch that the node knows |
 * | now | the time on the node's clock, in microseconds |
 * | seen | the latest stamp that the node has seen, in microseconds |
 * | clock | the time in place of the server's, in microseconds, for tests; else empty |
 * | run | the process of the server that the node knows, to ask whether it is still the same, which costs 8 µs; else empty |
 * | name, size, arguments … | of each operation |
 *
 * The answer is `DONE`, the time and the latest stamp in microseconds, the attempt that was carried out, and the answer
 * and the entries of the record of each operation. There may be fewer than were asked for: a call stops when it has touched enough. Or it is
 * a single reason why nothing was done: `EPOCH` (the store lost data, see `join`), `LEASE` (the lease has ended), `STALE`
 * (there was a later call), `FORMAT` (the keys are of a later version).
 */
export const CALL_BEGIN = `
local call = redis.call

-- The operations that are asked for, and where in ARGV each begins. Those with a capital letter are about the user that is
-- their first argument, whose record is read ahead.
s.asked, s.places = {}, {}
local fields = { '.state', 'n' .. $SELF }
if ARGV[2] == 'join' then
  s.asked.join = true
else
  local place = 9
  while place < #ARGV do
    local name, after = ARGV[place], place + 2 + ARGV[place + 1]
    s.asked[name] = true
    s.places[#s.places + 1] = place
    if string.byte(name) < 97 then fields[#fields + 1] = 'u' .. ARGV[place + 2] end
    place = after
  end
end

s.nowUs = tonumber(ARGV[7])
if not s.nowUs then
  local time = call('TIME')
  s.nowUs = time[1] * 1000000 + time[2]
end
s.nowMs = math.floor(s.nowUs / 1000)
s.callerUs, s.seen = math.min(tonumber(ARGV[5]), s.nowUs + $AHEAD_US), tonumber(ARGV[6])

-- The state, and the last call of the node: its number, which attempt of it was carried out (0: a join set the number),
-- and the end of the node's lease.
s.read, s.era, s.rev, s.stamp, s.notedUntil = {}, 0, 0, 0, 0
for at, value in ipairs(call('HMGET', $HASH, unpack(fields))) do s.read[fields[at]] = value end
if s.read['.state'] then s.epoch, s.era, s.rev, s.stamp, s.knownRun, s.notedUntil = cmsgpack.unpack(s.read['.state']) end
if s.read[fields[2]] then s.number, s.attempt, s.lease = cmsgpack.unpack(s.read[fields[2]]) end
-- The steps that are to be added to the record.
s.record = {}

function f.state()
  return cmsgpack.pack(s.epoch, s.era, s.rev, s.stamp, s.knownRun, s.notedUntil)
end

function f.lastCall()
  return cmsgpack.pack(s.number, s.attempt, s.lease)
end

function f.serverRun()
  ${LUA_SERVER_RUN}
end
`

/** The end of the script: refuses a call, or carries out its operations and stores the answer. */
export const CALL_END = `
local number = ARGV[2]
if number == 'join' then return f.join() end
number = tonumber(number)
if number > 0 and s.number then
  if number <= s.number then
    if number < s.number or s.attempt == '0' then return { 'STALE' } end
    -- With the time of now: the node would take the time since the first attempt for a difference of clocks.
    local answer = cmsgpack.unpack(call('HGET', $HASH, 'a' .. $SELF))
    answer[2] = string.format('%d', s.nowUs)
    return answer
  end
  if number > s.number + 1 then return { 'EPOCH' } end
end
if s.epoch ~= ARGV[4] or s.stamp < s.seen or ARGV[8] ~= '' and f.serverRun() ~= ARGV[8] then return { 'EPOCH' } end
if (not s.lease or s.lease < s.nowMs) and not s.asked.giveLast then return { 'LEASE' } end

-- Users who come online enter rooms that are read ahead, too.
if s.asked.Connect then
  local rooms = {}
  for _, place in ipairs(s.places) do
    if ARGV[place] == 'Connect' and not s.read['u' .. ARGV[place + 2]] and #rooms < $AHEAD then
      for at = place + 8, place + 1 + ARGV[place + 1], 2 do rooms[#rooms + 1] = 'r' .. ARGV[at] end
    end
  end
  f.readAhead(rooms)
end

local answer = { 'DONE', string.format('%d', s.nowUs), '', ARGV[3] }
for index, at in ipairs(s.places) do
  if index > 1 and f.isExhausted() then break end
  local operation = operations[ARGV[at]]
  s.told = {}
  local size = #answer
  answer[size + 1], answer[size + 2] = operation and operation(at + 2, tonumber(ARGV[at + 1])) or 0, s.told
end
answer[3] = string.format('%d', s.stamp)
if number > 0 then
  f.appendSteps()
  s.number, s.attempt = number, ARGV[3]
  s.fields['.state'], s.fields['n' .. $SELF] = f.state(), f.lastCall()
  s.fields['a' .. $SELF] = cmsgpack.pack(answer)
  f.flush()
end
return answer
`
