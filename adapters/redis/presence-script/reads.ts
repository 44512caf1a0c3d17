/** Part of the script of presence: the operations that only read. */
export const READS = `
-- Answers with the latest stamp.
function operations.stamp()
  return string.format('%d', s.stamp)
end

-- uid, sid (none: the user), connection, rid
function operations.Membership(at)
  local user, rid = f.loadUser(ARGV[at]), ARGV[at + 3]
  if not user then return 0 end
  if ARGV[at + 1] == '' then return f.indexOf(user[$OWN], rid, 2) and $APP or 0 end
  local session = f.sessionOn(user, ARGV[at + 1], ARGV[at + 2])
  local held = session and f.indexOf(session[$HELD], rid, 2)
  return held and session[$HELD][held + 1] % $GRANTS or 0
end

-- sid
function operations.locate(at)
  local uid = f.uidOf(ARGV[at])
  local user = uid and f.loadUser(uid)
  local session = user and f.findSession(user, $SID, ARGV[at])
  if not session then return {} end
  return { uid, f.nodeOf(session), f.connectionOf(session), session[$DEADLINE] == 0 and 1 or 0 }
end

-- uid
function operations.NodesOfUser(at)
  local user = f.loadUser(ARGV[at])
  return user and f.nodesOf(user, {}, {}) or {}
end

-- rid, the last uid of the slice before. Answers with the last uid (nothing after the last slice), the number of nodes
-- that may be found, and those of this slice.
function operations.nodesOfRoom(at)
  local rid, last = ARGV[at], ARGV[at + 1]
  f.flush()
  local found, isFound = { '', call('ZCARD', $NODES) }, {}
  local slice = f.range('m' .. rid .. '\\0', last, $SLICE)
  for _, member in ipairs(slice) do
    if f.isExhausted() then
      found[1] = last
      return found
    end
    last = string.sub(member, #rid + 3)
    f.nodesOf(f.loadUser(last), found, isFound)
  end
  if #slice == $SLICE then found[1] = last end
  return found
end

-- uid, clientId
function operations.Serves(at)
  local user = f.loadUser(ARGV[at])
  local session = user and f.findSession(user, $CLIENT, ARGV[at + 1])
  return session and session[$DEADLINE] == 0 and 1 or 0
end

-- uid
function operations.isOnline(at)
  local user = s.users[ARGV[at]]
  if user ~= nil then return user and 1 or 0 end
  return call('HEXISTS', $HASH, 'u' .. ARGV[at])
end

-- uid. Answers with rid, order in turns
function operations.RoomsOf(at)
  local user, found = f.loadUser(ARGV[at]), {}
  for rid, order in pairs(user and f.orders(user) or {}) do
    found[#found + 1] = rid
    found[#found + 1] = order
  end
  return found
end

-- rid
function operations.count(at)
  return f.loadRoom(ARGV[at])[1]
end

-- rid, the last uid of the slice before, the most users. Answers with the room's revision, whether there are more users,
-- the latest stamp; and uid, order, info in turns.
function operations.members(at)
  local rid, last = ARGV[at], ARGV[at + 1]
  local limit = math.min(tonumber(ARGV[at + 2]), math.max(1, $SLICE - s.touchedUsers))
  f.flush()
  local slice = f.range('m' .. rid .. '\\0', last, limit)
  s.touchedUsers, s.touchedMembers = s.touchedUsers + #slice, s.touchedMembers + #slice
  local room = f.loadRoom(rid)
  local latest = s.epoch .. '.' .. (room[1] > 0 and room[2] or s.rev)
  local answer = { latest, #slice == limit and 1 or 0, string.format('%d', s.stamp) }
  if #slice == 0 then return answer end
  for place, member in ipairs(slice) do slice[place] = string.sub(member, #rid + 3) end
  local fields = {}
  for place, uid in ipairs(slice) do fields[place] = 'u' .. uid end
  local records = call('HMGET', $HASH, unpack(fields))
  for place, uid in ipairs(slice) do
    local user, size = f.readUser(records[place]), #answer
    answer[size + 1], answer[size + 2], answer[size + 3] = uid, f.orders(user)[rid], user[$INFO]
  end
  return answer
end
`
