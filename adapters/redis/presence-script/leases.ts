/** Part of the script of presence: leases, the end of graces, and nodes that have gone. */
export const LEASES = `
-- Time in which nobody swept does not count: the store, or every node, was away, and clients could not come back.
-- After such a pause nothing ends for a while, so that nodes can renew their leases and clients can reconnect.
function f.notePause()
  local last, held = unpack(call('HMGET', $HASH, '.swept', '.held'))
  held = tonumber(held) or 0
  if last and s.nowMs - tonumber(last) > $PAUSE_MS then
    held = s.nowMs + $PAUSE_MS
    call('HSET', $HASH, '.held', held)
  end
  call('HSET', $HASH, '.swept', s.nowMs)
  return held
end

-- Ends the graces that are due. Returns whether there are more.
function f.endDueGraces()
  local due = call('ZRANGEBYSCORE', $GRACES, 0, s.nowMs, 'LIMIT', 0, $SLICE)
  for _, uid in ipairs(due) do
    if f.isExhausted() then return true end
    f.endGraces(uid, function(session) return session[$DEADLINE] <= s.nowMs end, true)
  end
  return #due == $SLICE
end

-- Puts the live sessions of a node in grace. Returns whether there are more.
function f.beginGraces(node, from)
  local live = f.range(f.nodeKey(node, ''), '', $SLICE)
  local deadline = from + (tonumber(call('HGET', $HASH, 'g' .. node)) or $DEFAULT_GRACE)
  for _, entry in ipairs(live) do
    if f.isExhausted() then return true end
    local uid = string.sub(entry, #node + 2)
    local user = f.loadUser(uid)
    s.entries[entry] = false
    for _, session in ipairs(user and user[$LIST] or {}) do
      if session[$DEADLINE] == 0 and f.nodeOf(session) == node then
        session[$DEADLINE], session[$SWEPT] = deadline, 1
      end
    end
    if user then
      f.noteGrace(uid, user)
      f.saveUser(uid, user)
    end
  end
  return #live == $SLICE
end

-- Nodes are scored by the end of their lease. One that ended, and has no live session left, has the negative: it is
-- known for another hour, in which it may come back, and then forgotten.
function f.forgetNodes()
  for _, node in ipairs(call('ZRANGEBYSCORE', $NODES, '(' .. $KEY_MS - s.nowMs, '(0', 'LIMIT', 0, $NODES_A_SWEEP)) do
    call('ZREM', $NODES, node)
    call('HDEL', $HASH, 'n' .. node, 'a' .. node, 'g' .. node)
    call('ZREMRANGEBYLEX', $SET, '(f' .. node .. '\\0', '(f' .. node .. '\\1')
  end
end

-- Returns whether there are more.
function f.forgetNotes()
  if s.notedUntil == 0 or s.nowMs < s.notedUntil then return false end
  local found = call('ZRANGEBYLEX', $SET, '[x', '(z', 'LIMIT', 0, $SLICE)
  if #found == 0 then
    s.notedUntil = 0
    return false
  end
  call('ZREM', $SET, unpack(found))
  return true
end

-- Answers with whether there is more to do, the milliseconds to the next thing that is due (-1: none), and the time up
-- to which all graces have ended.
function operations.sweep()
  local held = f.notePause()
  f.flush()
  if s.nowMs < held then return { 0, held - s.nowMs, 0 } end
  if f.endDueGraces() then return { 1, 0, 0 } end
  local ended = call('ZRANGEBYSCORE', $NODES, 0, '(' .. s.nowMs, 'WITHSCORES', 'LIMIT', 0, $NODES_A_SWEEP)
  for place = 1, #ended, 2 do
    local node, lease = ended[place], tonumber(ended[place + 1])
    if f.isExhausted() or f.beginGraces(node, math.max(lease, held)) then return { 1, 0, 0 } end
    call('ZADD', $NODES, -lease, node)
  end
  f.forgetNodes()
  f.flush()
  if f.forgetNotes() then return { 1, 0, 0 } end
  local grace = call('ZRANGE', $GRACES, 0, 0, 'WITHSCORES')[2]
  local lease = call('ZRANGEBYSCORE', $NODES, s.nowMs, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  call('XTRIM', $ACTIVITY, 'MAXLEN', '~', $RECORD_ENTRIES)
  call('XTRIM', $ACTIVITY, 'MINID', '~', string.format('%d', s.nowUs - $RECORD_US))
  local due = math.min(tonumber(grace) or math.huge, tonumber(lease) or math.huge)
  return { #ended == 2 * $NODES_A_SWEEP and 1 or 0, due == math.huge and -1 or math.max(0, due - s.nowMs), s.nowMs }
end

-- Asks for the turn to give the record to others: for how long, and the entry up to which it was taken (empty: it is not
-- known). Answers with 1 and the entry after which to go on, or with 0 and the milliseconds of another node's turn.
function f.give(at)
  local node, ends, place = '', 0, string.format('%d', s.stamp)
  local found = call('HGET', $HASH, '.giver')
  if found then node, ends, place = cmsgpack.unpack(found) end
  if node ~= $SELF and ends > s.nowMs then return { 0, ends - s.nowMs } end
  if node == $SELF and ARGV[at + 1] ~= '' then place = ARGV[at + 1] end
  call('HSET', $HASH, '.giver', cmsgpack.pack($SELF, s.nowMs + tonumber(ARGV[at]), place))
  return { 1, place }
end

function operations.give(at)
  return f.give(at)
end

-- For a node that has left.
function operations.giveLast(at)
  return f.give(at)
end

function f.renewKeys()
  for _, key in ipairs(KEYS) do call('PEXPIRE', key, $KEY_MS) end
end

-- lease, grace: in milliseconds
function f.register(lease, grace)
  s.lease = s.nowMs + lease
  call('ZADD', $NODES, s.lease, $SELF)
  call('HSET', $HASH, 'g' .. $SELF, grace)
  f.renewKeys()
end

-- lease, grace. Renews the lease of the node. Answers with its connections that were taken over, or ended, and that it
-- may not know of: uid, sid, connection by turns.
function operations.renew(at)
  f.register(tonumber(ARGV[at]), ARGV[at + 1])
  f.flush()
  local found = {}
  for _, entry in ipairs(f.range('f' .. $SELF .. '\\0', '', $SLICE)) do
    for text in string.gmatch(string.sub(entry, #$SELF + 3), '%Z+') do found[#found + 1] = text end
  end
  return found
end

-- Ends all sessions of the users that a sorted set names. Returns whether there are more.
function f.endAll(found, read)
  for _, entry in ipairs(found) do
    local uid = read(entry)
    local user = uid and f.loadUser(uid)
    while user do
      if f.isExhausted() then return true end
      f.beginStep(uid)
      f.removeSession(uid, user, user[$LIST][1])
      f.endStep('')
      user = s.users[uid]
    end
  end
  return #found == $SLICE
end

-- Ends the lease. What the node has left goes to the other nodes; without another one everything ends. Answers with
-- whether there is more to do.
function operations.leaveCluster()
  if call('ZCOUNT', $NODES, s.nowMs, '+inf') <= 1 then
    f.flush()
    local inGrace = call('ZRANGEBYSCORE', $GRACES, 0, '(inf', 'LIMIT', 0, $SLICE)
    if f.endAll(inGrace, function(uid) return uid end) then return 1 end
    local live = call('ZRANGEBYLEX', $SET, '[\\1', '(f', 'LIMIT', 0, $SLICE)
    if f.endAll(live, function(entry) return string.sub(entry, string.byte(entry) + 2) end) then return 1 end
  end
  s.lease = s.nowMs - 1
  call('ZADD', $NODES, s.lease, $SELF)
  f.renewKeys()
  return 0
end
`
