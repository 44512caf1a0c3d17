/**
 * Part of the script of presence: what it reads. Records are read when they are needed, once in a call.
 */
export const STORE = `
-- What the call has loaded: records by uid (false: there is none), and rooms by rid. Which of them it has changed. And
-- what is to be written: fields of the hash, members of the sorted sets (false: to be removed).
s.users, s.changedUsers = {}, {}
s.rooms, s.changedRooms = {}, {}
s.fields, s.entries, s.graces = {}, {}, {}
-- How much the call has touched.
s.touchedUsers, s.touchedMembers = 0, 0

-- Whether the call has touched enough.
function f.isExhausted()
  return s.touchedUsers >= $SLICE or s.touchedMembers >= $MEMBERS_A_CALL
end

-- Reads fields of the hash, unless they were read before.
function f.readAhead(fields)
  local missing = {}
  for _, field in ipairs(fields) do
    if s.read[field] == nil then
      s.read[field] = false
      missing[#missing + 1] = field
    end
  end
  if #missing == 0 then return end
  for at, value in ipairs(call('HMGET', $HASH, unpack(missing))) do s.read[missing[at]] = value end
end

function f.field(name)
  local value = s.read[name]
  if value == nil then value = call('HGET', $HASH, name) end
  return value
end

function f.readUser(packed)
  return { cmsgpack.unpack(packed) }
end

-- The order of a user's entry into each room that it is in. It is not stored apart from the memberships.
function f.orders(user)
  local orders = user[$ORDERS]
  if orders then return orders end
  orders = {}
  user[$ORDERS] = orders
  local own = user[$OWN]
  for at = 1, #own, 2 do orders[own[at]] = own[at + 1] end
  for _, session in ipairs(user[$LIST]) do
    local held = session[$HELD]
    for at = 1, #held, 2 do orders[held[at]] = math.floor(held[at + 1] / $GRANTS) end
  end
  return orders
end

-- A session's node. Mostly the sid begins with it: then NODE is its length.
function f.nodeOf(session)
  local node = session[$NODE]
  return type(node) == 'number' and string.sub(session[$SID], 1, node) or node
end

function f.setNode(session, node)
  session[$NODE] = string.sub(session[$SID], 1, #node) == node and #node or node
end

function f.loadUser(uid)
  local user = s.users[uid]
  if user == nil then
    local packed = f.field('u' .. uid)
    user = packed and f.readUser(packed)
    s.users[uid] = user
    s.touchedUsers = s.touchedUsers + 1
  end
  return user
end

-- A room is {number of users, revision}. One that is empty is forgotten.
function f.loadRoom(rid)
  local room = s.rooms[rid]
  if room == nil then
    local packed = f.field('r' .. rid)
    room = packed and { cmsgpack.unpack(packed) } or { 0, 0 }
    s.rooms[rid] = room
  end
  return room
end

-- Loads rooms at once.
function f.loadRooms(rids)
  local fields = {}
  for _, rid in ipairs(rids) do
    if not s.rooms[rid] then fields[#fields + 1] = 'r' .. rid end
  end
  f.readAhead(fields)
end

function f.uidOf(sid)
  local field = 's' .. sid
  local uid = s.fields[field]
  if uid == nil then uid = f.field(field) end
  return uid
end

-- The members of the set that begin with a text, and come after another one. No text has the byte 255.
function f.range(text, after, limit)
  return call('ZRANGEBYLEX', $SET, '(' .. text .. after, '(' .. text .. '\\255', 'LIMIT', 0, limit)
end

function f.connectionOf(session)
  local connection = session[$CONNECTION]
  return connection == '' and session[$SID] or connection
end

function f.findSession(user, field, value)
  for _, session in ipairs(user[$LIST]) do
    if session[field] == value then return session end
  end
end

-- Finds the session of a user that is on a connection.
function f.sessionOn(user, sid, connection)
  local session = user and f.findSession(user, $SID, sid)
  return session and f.connectionOf(session) == connection and session or nil
end
`
