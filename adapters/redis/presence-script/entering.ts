/** Part of the script of presence: what adds to sessions and memberships. */
export const ENTERING = `
function f.newSession(uid, user, session)
  table.insert(user[$LIST], session)
  s.fields['s' .. session[$SID]] = uid
end

-- Returns the order of the user among those who entered.
function f.enterRoom(uid, user, rid)
  local orders = f.orders(user)
  if orders[rid] then return orders[rid] end
  f.sayRoom('E', rid, 1)
  orders[rid] = s.rev
  s.entries['m' .. rid .. '\\0' .. uid] = 0
  f.note(uid, rid, false)
  f.noteExpulsion(uid, rid, false)
  s.touchedMembers = s.touchedMembers + 1
  return s.rev
end

-- Adds a membership of a session. What the app granted stays the app's.
function f.enterSession(uid, user, session, rid, by)
  local held = session[$HELD]
  local at = f.indexOf(held, rid, 2)
  if at then
    local number = held[at + 1]
    if number % $GRANTS ~= $APP then held[at + 1] = number - number % $GRANTS + by end
    return
  end
  local order = f.enterRoom(uid, user, rid)
  at = #held
  held[at + 1], held[at + 2] = rid, order * $GRANTS + by
end

function f.enterOwn(uid, user, rid)
  local own = user[$OWN]
  if f.indexOf(own, rid, 2) then return false end
  local order = f.enterRoom(uid, user, rid)
  own[#own + 1] = rid
  own[#own + 1] = order
  return true
end

function f.setInfo(user, info)
  if user[$INFO] == info then return end
  user[$INFO] = info
  local rids = {}
  local orders = f.orders(user)
  for rid in pairs(orders) do rids[#rids + 1] = rid end
  table.sort(rids, function(a, b) return orders[a] < orders[b] end)
  for _, rid in ipairs(rids) do f.sayRoom('I', rid, 0) end
  s.touchedMembers = s.touchedMembers + #rids
end

-- Moves a session to a new connection, and ends its grace.
function f.move(uid, user, session, connection, start, request)
  local former, wasLive, wasSwept = f.nodeOf(session), session[$DEADLINE] == 0, session[$SWEPT] == 1
  if former ~= $SELF and (wasLive or wasSwept) then
    s.entries[f.formerKey(former, uid, session[$SID], f.connectionOf(session))] = 0
  end
  session[$CONNECTION] = connection == session[$SID] and '' or connection
  session[$START], session[$ERA], session[$DEADLINE], session[$SWEPT] = start, s.era, 0, 0
  session[$REQUEST] = request
  session[$GENERATION] = session[$GENERATION] + 1
  if not wasLive then f.noteGrace(uid, user) end
  if former ~= $SELF then
    f.setNode(session, $SELF)
    f.noteNode(uid, user, former)
  end
  if former ~= $SELF or wasSwept then f.noteNode(uid, user, $SELF) end
end
`
