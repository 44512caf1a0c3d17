/**
 * Part of the script of presence: what it writes. Records are written once, at the end of the call or before a range is
 * read, so that the steps of one call share what they touch.
 */
export const WRITING = `
function f.bulk(command, key, arguments)
  for first = 1, #arguments, 4000 do
    call(command, key, unpack(arguments, first, math.min(first + 3999, #arguments)))
  end
end

function f.saveUser(uid, user)
  s.users[uid] = user
  s.changedUsers[uid] = true
end

-- Writes changes. The value of each is added before or after it, as the command wants it.
function f.write(key, name, add, remove, isValueFirst)
  local changes = s[name]
  if next(changes) == nil then return end
  s[name] = {}
  local added, removed = {}, {}
  for entry, value in pairs(changes) do
    local at = #added
    if not value then removed[#removed + 1] = entry
    elseif isValueFirst then added[at + 1], added[at + 2] = value, entry
    else added[at + 1], added[at + 2] = entry, value end
  end
  f.bulk(add, key, added)
  f.bulk(remove, key, removed)
end

function f.flush()
  for uid in pairs(s.changedUsers) do
    local user = s.users[uid]
    s.fields['u' .. uid] = user and cmsgpack.pack(user[$INFO], user[$IS_SET], user[$OWN], user[$LIST])
  end
  for rid in pairs(s.changedRooms) do
    local room = s.rooms[rid]
    s.fields['r' .. rid] = room[1] > 0 and cmsgpack.pack(room[1], room[2])
  end
  s.changedUsers, s.changedRooms = {}, {}
  f.write($HASH, 'fields', 'HSET', 'HDEL')
  f.write($SET, 'entries', 'ZADD', 'ZREM', true)
  f.write($GRACES, 'graces', 'ZADD', 'ZREM', true)
  -- What is read from now on may be what was written.
  s.read = {}
end

-- Notes when the first grace of a user's sessions ends.
function f.noteGrace(uid, user)
  local first = false
  for _, session in ipairs(user[$LIST]) do
    local deadline = session[$DEADLINE]
    if deadline > 0 and not (first and first <= deadline) then first = deadline end
  end
  s.graces[uid] = first
end

-- Notes whether a user has a session on a node, other than in a grace that began because the node was gone.
function f.noteNode(uid, user, node)
  local known = false
  for _, session in ipairs(user[$LIST]) do
    if session[$SWEPT] == 0 and f.nodeOf(session) == node then known = 0 end
  end
  s.entries[f.nodeKey(node, uid)] = known
end
`
