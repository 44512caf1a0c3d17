/** Part of the script of presence: how a node brings its sessions back, after it was cut off or the store lost data. */
export const RESTORING = `
-- Makes a session that is there what its node says it is. Nothing is said of it to hooks, which have heard of it.
function f.correct(uid, user, session, at, rooms)
  local was, node = session[$HELD], f.nodeOf(session)
  if node ~= $SELF then s.entries[f.formerKey(node, uid, session[$SID], f.connectionOf(session))] = 0 end
  session[$CONNECTION] = ARGV[at + 2] == session[$SID] and '' or ARGV[at + 2]
  session[$START], session[$ERA], session[$REQUEST] = ARGV[at + 4], s.era, tonumber(ARGV[at + 6])
  f.setNode(session, $SELF)
  -- Known from here on as it was.
  f.orders(user)
  session[$HELD] = rooms
  local still = f.heldRooms(user)
  for place = 1, #was, 2 do
    if not still[was[place]] then f.leaveRoom(uid, user, was[place]) end
  end
  for place = 1, #rooms, 2 do
    rooms[place + 1] = rooms[place + 1] + f.enterRoom(uid, user, rooms[place]) * $GRANTS
  end
  if node ~= $SELF then f.noteNode(uid, user, node) end
end

-- Whether a user is as the store had it before it lost data: no node has brought it back since.
function f.isStale(user)
  for _, session in ipairs(user[$LIST]) do
    if session[$ERA] == s.era then return false end
  end
  return true
end

-- Ends the memberships of a user that are not among the arguments from at to last.
function f.keepOwn(uid, user, at, last)
  local kept, was = {}, f.ridsOf(user[$OWN])
  for place = at, last do kept[ARGV[place]] = true end
  for _, rid in ipairs(was) do
    if not kept[rid] then f.remove(user[$OWN], rid) end
  end
  local still = f.heldRooms(user)
  for _, rid in ipairs(was) do
    if not still[rid] then f.leaveRoom(uid, user, rid) end
  end
end

-- Begins the step that restores a session. What hooks have heard the end of since, though this node had it still, they
-- hear again: all of it if they have heard OFFLINE, else the entries into such rooms.
function f.beginRestoring(uid)
  f.flush()
  local isOffline = f.isNoted('x', uid, '')
  f.beginStep(uid, isOffline and '' or 's')
  s.eventsAgain = not isOffline and {}
end

-- Ends the step that restores a session, and says what is said again.
function f.endRestoring(uid, info)
  f.endStep(info)
  if s.eventsAgain then
    f.beginStep(uid)
    s.stepEvents, s.tellsInfo, s.eventsAgain = s.eventsAgain, true, false
    f.endStep(info)
  end
end

-- uid, sid, connection, clientId, start, info, number of the request (or empty), generation, milliseconds of grace left
-- (-1: the session is live), 1 when the store lost data, number of rooms; then rid, by in turns; then the rooms of its user's memberships. Answers
-- with 1, or 0 when the connection was taken over, or the session was ended meanwhile; or with the rooms of which its user
-- got a membership back that nodes do not know of whose sessions are there already.
function operations.Restore(at, count)
  local uid, sid, connection, client, generation = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 7])
  local grace, lost = tonumber(ARGV[at + 8]), ARGV[at + 9] == '1'
  local owned = at + 11 + 2 * tonumber(ARGV[at + 10])
  local user = f.loadUser(uid)
  local session = user and f.findSession(user, $SID, sid)
  local isKnown = false
  if session then
    local isSame = f.connectionOf(session) == connection
    if session[$GENERATION] > generation or session[$GENERATION] == generation and not isSame then return 0 end
    if not lost and not isSame then return 0 end
    isKnown = isSame and session[$ERA] == s.era
  else
    if f.uidOf(sid) then return 0 end
    if client ~= '' and user and f.findSession(user, $CLIENT, client) then return 0 end
    f.flush()
    if call('ZSCORE', $SET, f.formerKey($SELF, uid, sid, connection)) then return 0 end
    if not lost and grace >= 0 then return 0 end
  end
  local isNew = not user
  if lost then f.beginRestoring(uid) else f.beginStep(uid) end
  if isNew then
    user = { ARGV[at + 5], 0, {}, {} }
    f.say('O')
    f.note(uid, '', false)
  elseif lost and user[$IS_SET] == 0 and user[$INFO] == '' then
    -- Which session connected last is lost, too.
    f.setInfo(user, ARGV[at + 5])
  end
  local isFirst = isNew or f.isStale(user)
  if lost and not isNew and isFirst then f.keepOwn(uid, user, owned, at + count - 1) end
  local rooms = {}
  for place = at + 11, owned - 1, 2 do
    if not (lost and f.isNoted('y', uid, ARGV[place])) then
      rooms[#rooms + 1] = ARGV[place]
      rooms[#rooms + 1] = tonumber(ARGV[place + 1])
    end
  end
  if not session then
    local request = tonumber(ARGV[at + 6])
    session = { sid, connection == sid and '' or connection, 0, client, ARGV[at + 4], 0, 0, s.era, generation, {}, request }
    f.setNode(session, $SELF)
    f.newSession(uid, user, session)
    for place = 1, #rooms, 2 do f.enterSession(uid, user, session, rooms[place], rooms[place + 1]) end
  elseif not isKnown then
    f.correct(uid, user, session, at, rooms)
  end
  session[$GENERATION] = generation
  -- While the store knows the user, it knows its memberships.
  local added = {}
  if isNew or lost and not isKnown then
    for place = owned, at + count - 1 do
      local rid = ARGV[place]
      if not (lost and f.isNoted('y', uid, rid)) and f.enterOwn(uid, user, rid) and not isFirst then
        added[#added + 1] = rid
      end
    end
  end
  if grace < 0 then
    session[$DEADLINE], session[$SWEPT] = 0, 0
  elseif not isKnown then
    session[$DEADLINE], session[$SWEPT] = s.nowMs + grace, 0
  end
  f.noteGrace(uid, user)
  f.noteNode(uid, user, $SELF)
  f.saveUser(uid, user)
  f.endRestoring(uid, user[$INFO])
  return #added > 0 and added or 1
end

-- Once a node has restored its sessions: ends those that the store still has of before it lost data, and that ended
-- since. Hooks have heard of it. The last uid of the slice before; answers with the last uid, or nothing after the last.
function operations.settle(at)
  local last = ARGV[at]
  f.flush()
  local found = f.range(f.nodeKey($SELF, ''), last, $SLICE)
  for _, entry in ipairs(found) do
    if f.isExhausted() then return last end
    last = string.sub(entry, #$SELF + 2)
    local user = f.loadUser(last)
    local stale = {}
    for _, session in ipairs(user and user[$LIST] or {}) do
      if session[$ERA] ~= s.era and f.nodeOf(session) == $SELF then stale[#stale + 1] = session end
    end
    for _, session in ipairs(stale) do
      f.beginStep(last, 's')
      f.removeSession(last, user, session)
      f.endStep('')
    end
  end
  return #found < $SLICE and '' or last
end

-- Whether the store has lost what the node knows of: the last steps that it has seen, or its own last call. Of a process
-- of the server that nobody has checked yet, a node that cannot check it assumes that it has.
function f.isLost(run, known)
  if not s.epoch or s.stamp < s.seen or s.number and s.number < known then return true end
  if ARGV[4] ~= s.epoch then return run ~= '' and run ~= s.knownRun end
  if run == ARGV[8] or s.stamp == s.seen then return false end
  return #call('XRANGE', $ACTIVITY, ARGV[6], ARGV[6]) == 0
end

-- format, number of the last call that was answered, lease, grace, a new secret. Registers the node. Begins a new epoch
-- when there is none, or the store lost steps. Answers with the time, the latest stamp, the epoch, whether the lease had
-- ended, the secret, the number of the node's last call, and the process of the server.
function f.join()
  local format, known, lease, grace, secret = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12], ARGV[13]
  local found = call('HMGET', $HASH, '.format', '.secret')
  if found[1] and tonumber(found[1]) > tonumber(format) then return { 'FORMAT', found[1] } end
  local run = f.serverRun()
  local isBegun, isChecked = f.isLost(run, known), run ~= s.knownRun
  s.knownRun = run
  if isBegun then
    local last = call('XREVRANGE', $ACTIVITY, '+', '-', 'COUNT', 1)[1]
    if last then s.stamp = math.max(s.stamp, tonumber(string.match(last[1], '^%d+'))) end
    s.stamp = math.max(s.stamp, s.seen)
    s.era = s.era + 1
    s.epoch = string.format('%x', math.max(s.nowMs, s.epoch and tonumber(s.epoch, 16) + 1 or 0))
    s.told = {}
    -- Who gives the record to others begins with it.
    call('HSETNX', $HASH, '.giver', cmsgpack.pack('', 0, string.format('%d', s.stamp)))
    f.beginStep('', 'm')
    f.say('M')
    f.endStep('')
    f.appendSteps()
    call('HSETNX', $HASH, '.secret', secret)
    call('HSET', $HASH, '.format', format)
  end
  -- Nodes that were there before have something to restore.
  local isBack = known > 0 and (isBegun or not s.number)
  if isBack then s.notedUntil = s.nowMs + $NOTED_MS end
  if isBegun or isBack or isChecked then call('HSET', $HASH, '.state', f.state()) end
  local isLate = not s.lease or s.lease < s.nowMs
  -- Entries that keep the keys, and with them their time to live.
  call('ZADD', $SET, 0, '')
  call('ZADD', $GRACES, '+inf', '')
  f.register(lease, grace)
  if not s.number or s.number < known then s.number, s.attempt = known, '0' end
  call('HSET', $HASH, 'n' .. $SELF, f.lastCall())
  return {
    'JOINED',
    string.format('%d', s.nowUs),
    string.format('%d', s.stamp),
    s.epoch,
    isLate and 1 or 0,
    found[2] or secret,
    s.number,
    run,
  }
end
`
