/** Part of the script of presence: what takes from sessions and memberships. */
export const LEAVING = `
function f.leaveRoom(uid, user, rid)
  f.sayRoom('L', rid, -1)
  if user[$ORDERS] then user[$ORDERS][rid] = nil end
  s.entries['m' .. rid .. '\\0' .. uid] = false
  f.note(uid, rid, true)
  s.touchedMembers = s.touchedMembers + 1
end

-- The rooms in which a user's own memberships, and those of its sessions, hold it.
function f.heldRooms(user)
  local held = {}
  local own = user[$OWN]
  for at = 1, #own, 2 do held[own[at]] = true end
  for _, session in ipairs(user[$LIST]) do
    local rids = session[$HELD]
    for at = 1, #rids, 2 do held[rids[at]] = true end
  end
  return held
end

-- Removes a room and its number from a list of them by turns. Returns whether it was there.
function f.remove(list, rid)
  local at = f.indexOf(list, rid, 2)
  if not at then return false end
  table.remove(list, at)
  table.remove(list, at)
  return true
end

-- Ends a session, and with the last one its user's own memberships. A node that was cut off may bring back a session
-- whose time was over, but none that was ended.
function f.removeSession(uid, user, session, isOver)
  local list = user[$LIST]
  for at, other in ipairs(list) do
    if other == session then
      table.remove(list, at)
      break
    end
  end
  s.fields['s' .. session[$SID]] = false
  if session[$DEADLINE] > 0 then f.noteGrace(uid, user) end
  local node = f.nodeOf(session)
  f.noteNode(uid, user, node)
  if session[$SWEPT] == 1 and not isOver then
    s.entries[f.formerKey(node, uid, session[$SID], f.connectionOf(session))] = 0
  end
  local held = session[$HELD]
  if #held > 0 then
    if #held > 2 then f.loadRooms(f.ridsOf(held)) end
    local still = f.heldRooms(user)
    for at = 1, #held, 2 do
      if not still[held[at]] then f.leaveRoom(uid, user, held[at]) end
    end
  end
  if #list == 0 then
    for _, rid in ipairs(f.ridsOf(user[$OWN])) do f.leaveRoom(uid, user, rid) end
    f.say('F')
    f.note(uid, '', true)
    user = false
  end
  f.saveUser(uid, user)
end

-- Ends the grace of those sessions of a user that fit, each in a step of its own.
function f.endGraces(uid, fits, isOver)
  local user = f.loadUser(uid)
  if not user then return end
  local ended = {}
  for _, session in ipairs(user[$LIST]) do
    if session[$DEADLINE] > 0 and fits(session, user) then ended[#ended + 1] = session end
  end
  for _, session in ipairs(ended) do
    f.beginStep(uid)
    f.removeSession(uid, user, session, isOver)
    f.endStep('')
  end
end

function f.any()
  return true
end
`
