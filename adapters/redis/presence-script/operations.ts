/**
 * Part of the script of presence: the operations that change something, as lib/memory/presence-state.ts has them. Each
 * gets the place of its first argument and the number of its arguments, and returns its answer.
 */
export const OPERATIONS = `
-- Adds rooms and grants, and an empty text at their end, to a list.
function f.tellHeld(list, held)
  for at = 1, #held, 2 do
    local size = #list
    list[size + 1], list[size + 2] = held[at], string.format('%d', held[at + 1] % $GRANTS)
  end
  list[#list + 1] = ''
end

-- Adds rooms, and an empty text at their end, to a list.
function f.tellRooms(list, rooms)
  for at = 1, #rooms, 2 do list[#list + 1] = rooms[at] end
  list[#list + 1] = ''
end

-- uid, connection, clientId, start, info, number of the request (or empty); then rid, by in turns. Answers with texts: the
-- sid, its generation, its rooms and grants, the rooms of its user's memberships; and of the session that it took over the
-- node, the connection, the start, 1 if it was live, the number of its request, and its rooms. Or with an empty text: a
-- later request of the page is connected, and nothing was done.
function operations.Connect(at, count)
  local uid, connection, client, start, info = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local request, user = tonumber(ARGV[at + 5]), f.loadUser(uid)
  local session, previous = user and client ~= '' and f.findSession(user, $CLIENT, client), nil
  local latest = session and session[$DEADLINE] == 0 and session[$REQUEST]
  if latest and request and request < latest then return '' end
  f.beginStep(uid)
  if not user then
    user = { info, 0, {}, {} }
    f.say('O')
    f.note(uid, '', false)
  elseif user[$IS_SET] == 0 then
    f.setInfo(user, info)
  end
  if session then
    local isLive = session[$DEADLINE] == 0 and '1' or '0'
    previous = { f.nodeOf(session), f.connectionOf(session), session[$START], isLive, session[$REQUEST] or '' }
    f.tellRooms(previous, session[$HELD])
    f.move(uid, user, session, connection, start, request)
  else
    session = { connection, '', 0, client, start, 0, 0, s.era, 0, {}, request }
    f.setNode(session, $SELF)
    f.newSession(uid, user, session)
    s.entries[f.nodeKey($SELF, uid)] = 0
  end
  for place = at + 6, at + count - 1, 2 do
    f.enterSession(uid, user, session, ARGV[place], tonumber(ARGV[place + 1]))
  end
  f.saveUser(uid, user)
  f.endStep(user[$INFO])
  local answer = { session[$SID], session[$GENERATION] }
  f.tellHeld(answer, session[$HELD])
  f.tellRooms(answer, user[$OWN])
  if previous then answer[#answer + 1] = table.concat(previous, '\\0') end
  return table.concat(answer, '\\0')
end

-- uid, sid, connection, grace. Answers with 0 or 1. A grace that begins is answered with texts by which the node can
-- restore the session: its deadline, clientId, start and generation, the user's info, its rooms and grants, the rooms of
-- its user's memberships.
function operations.Disconnect(at)
  local uid, sid, connection, grace = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local user = f.loadUser(uid)
  local session = f.sessionOn(user, sid, connection)
  if not session then
    s.entries[f.formerKey($SELF, uid, sid, connection)] = false
    return 0
  end
  if grace <= 0 then
    f.beginStep(uid)
    f.removeSession(uid, user, session)
    f.endStep('')
    return 1
  end
  session[$DEADLINE] = s.nowMs + grace
  if session[$SWEPT] == 1 then
    session[$SWEPT] = 0
    f.noteNode(uid, user, f.nodeOf(session))
  end
  f.noteGrace(uid, user)
  f.saveUser(uid, user)
  local deadline = string.format('%d', session[$DEADLINE])
  local answer = { deadline, session[$CLIENT], session[$START], session[$GENERATION], user[$INFO] }
  f.tellHeld(answer, session[$HELD])
  f.tellRooms(answer, user[$OWN])
  return table.concat(answer, '\\0')
end

-- Takes a connect back whose answer came too late: uid, sid, connection, grace, and the previous connection (node,
-- connection, start, 1 when it was live, the number of its request or empty); then its rooms.
function operations.Undo(at, count)
  local uid, sid, connection, grace = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local user = f.loadUser(uid)
  local session = f.sessionOn(user, sid, connection)
  if not session then return { 0 } end
  local wasLive, node = session[$DEADLINE] == 0, ARGV[at + 4]
  local former = f.formerKey(node, uid, sid, ARGV[at + 5])
  f.flush()
  -- A node that knows that its connection was taken over has closed it.
  local isLive = ARGV[at + 7] == '1' and (node == $SELF or call('ZSCORE', $SET, former))
  s.entries[former] = false
  session[$CONNECTION] = ARGV[at + 5] == sid and '' or ARGV[at + 5]
  session[$START], session[$REQUEST] = ARGV[at + 6], tonumber(ARGV[at + 8])
  f.setNode(session, node)
  session[$GENERATION] = session[$GENERATION] - 1
  session[$DEADLINE] = isLive and 0 or s.nowMs + grace
  local kept = {}
  for place = at + 9, at + count - 1 do kept[ARGV[place]] = true end
  f.beginStep(uid)
  local held = session[$HELD]
  session[$HELD] = {}
  for place = 1, #held, 2 do
    if kept[held[place]] then
      table.insert(session[$HELD], held[place])
      table.insert(session[$HELD], held[place + 1])
    end
  end
  local still = f.heldRooms(user)
  for place = 1, #held, 2 do
    if not still[held[place]] then f.leaveRoom(uid, user, held[place]) end
  end
  if not wasLive or session[$DEADLINE] > 0 then f.noteGrace(uid, user) end
  f.noteNode(uid, user, $SELF)
  f.noteNode(uid, user, node)
  f.saveUser(uid, user)
  f.endStep('')
  return { 1 }
end

-- uid, sid (none: the user), connection, rid, by
function operations.Enter(at)
  local uid, sid, rid = ARGV[at], ARGV[at + 1], ARGV[at + 3]
  local user = f.loadUser(uid)
  if not user then return { 0, {} } end
  f.beginStep(uid)
  if sid == '' then
    f.enterOwn(uid, user, rid)
  else
    local session = f.sessionOn(user, sid, ARGV[at + 2])
    if not session then return { 0, {} } end
    f.enterSession(uid, user, session, rid, tonumber(ARGV[at + 4]))
  end
  f.saveUser(uid, user)
  f.endStep(user[$INFO])
  return { 1, sid == '' and f.nodesOf(user, {}, {}) or {} }
end

-- uid, sid (none: the user and all its sessions), connection, rid
function operations.Leave(at)
  local uid, sid, rid = ARGV[at], ARGV[at + 1], ARGV[at + 3]
  local user = f.loadUser(uid)
  if sid == '' then f.noteExpulsion(uid, rid, true) end
  if not user then return { 0, {} } end
  local left = false
  if sid == '' then
    left = f.remove(user[$OWN], rid)
    for _, session in ipairs(user[$LIST]) do
      if f.remove(session[$HELD], rid) then left = true end
    end
  else
    local session = f.sessionOn(user, sid, ARGV[at + 2])
    left = session and f.remove(session[$HELD], rid) or false
  end
  if left then
    f.beginStep(uid)
    if sid == '' or not f.heldRooms(user)[rid] then f.leaveRoom(uid, user, rid) end
    f.saveUser(uid, user)
    f.endStep('')
  end
  return { left and 1 or 0, sid == '' and f.nodesOf(user, {}, {}) or {} }
end

-- uid, time in microseconds. Hooks of this node have heard it.
function operations.heard(at)
  f.beginStep(ARGV[at], 'h')
  f.say('H')
  f.endStep('', math.min(tonumber(ARGV[at + 1]), s.nowUs + $AHEAD_US))
  return 0
end

-- uid, info
function operations.SetInfo(at)
  local uid, info = ARGV[at], ARGV[at + 1]
  local user = f.loadUser(uid)
  if not user then return 0 end
  f.beginStep(uid)
  f.setInfo(user, info)
  user[$IS_SET] = 1
  f.saveUser(uid, user)
  f.endStep(info)
  return 1
end

-- uid
function operations.EndGraceOfUser(at)
  f.endGraces(ARGV[at], f.any)
  return 0
end

-- sid
function operations.endGraceOfSession(at)
  local sid = ARGV[at]
  local uid = f.uidOf(sid)
  if uid then f.endGraces(uid, function(session) return session[$SID] == sid end) end
  return 0
end

-- rid, the last uid of the slice before. Answers with the last uid, or nothing after the last slice.
function operations.endGraceOfRoom(at)
  local rid, last = ARGV[at], ARGV[at + 1]
  f.flush()
  -- One entry is always there.
  if call('ZCARD', $GRACES) <= 1 then return '' end
  local found = f.range('m' .. rid .. '\\0', last, $SLICE)
  for place, member in ipairs(found) do
    if f.isExhausted() then return last end
    last = string.sub(member, #rid + 3)
    f.endGraces(last, function(session, user)
      return f.indexOf(session[$HELD], rid, 2) or f.indexOf(user[$OWN], rid, 2)
    end)
  end
  return #found < $SLICE and '' or last
end
`
