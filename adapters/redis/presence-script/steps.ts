/** Part of the script of presence: a step, which decides transitions and appends them to the record. */
export const STEPS = `
-- Begins a step of a user. With a flag it is not for the hooks of the node that takes it: those of a silent step (s) have
-- heard of it, and it is for those who keep lists of members.
function f.beginStep(uid, flag)
  s.stepUid, s.stepEvents, s.stepFlag, s.revBefore, s.tellsInfo = uid, {}, flag or '', s.rev, false
end

-- After a loss a node may say the end of what another node still has, and will restore. While that may be, the ends that
-- hooks hear are noted, so that what is restored after its end is said again. Without a room it is the user's OFFLINE.
function f.note(uid, rid, isEnd)
  local isHeard = s.stepFlag == '' or s.eventsAgain and f.isNoted('x', uid, rid)
  if isHeard and s.nowMs < s.notedUntil then s.entries['x' .. uid .. '\\0' .. rid] = isEnd and 0 end
end

-- Adds an event that is about no room.
function f.say(kind)
  s.stepEvents[#s.stepEvents + 1] = kind .. '\\0\\0\\0'
end

-- Adds a change of a room: its kind, the room, its revision, and the one before. A room that is empty and forgotten changes from what the counter was before the step: it
-- cannot have had a later revision.
function f.sayRoom(kind, rid, change)
  local room = f.loadRoom(rid)
  local from = room[1] == 0 and s.revBefore or room[2]
  s.rev = s.rev + 1
  room[1], room[2] = room[1] + change, s.rev
  s.changedRooms[rid] = true
  if kind ~= 'L' then s.tellsInfo = true end
  local isAgain = kind == 'E' and s.eventsAgain and f.isNoted('x', s.stepUid, rid)
  local events = isAgain and s.eventsAgain or s.stepEvents
  events[#events + 1] = kind .. '\\0' .. rid .. '\\0' .. string.format('%d', s.rev) .. '\\0' .. string.format('%d', from)
end

-- Ends a step: adds it to the record. It says how much later it is than the one before it, so that a reader notices a gap.
function f.endStep(info, time)
  if #s.stepEvents == 0 then return end
  if not s.tellsInfo then info = '' end
  local before = s.stamp
  s.stamp = math.max(before + 1, time or math.max(s.nowUs, s.callerUs))
  local later, events = string.format('%d', s.stamp - before), table.concat(s.stepEvents, '\\0')
  local text = later .. '\\0' .. s.stepFlag .. '\\0' .. s.stepUid .. '\\0' .. info .. '\\0' .. events
  s.record[#s.record + 1] = 'e'
  s.record[#s.record + 1] = text
  s.told[#s.told + 1] = string.format('%d', s.stamp) .. '\\0' .. s.epoch .. '\\0' .. text
end

-- Appends the steps of the call to the record. The id of an entry is the stamp of its last step.
function f.appendSteps()
  if #s.record == 0 then return end
  call('XADD', $ACTIVITY, string.format('%d', s.stamp), 'p', s.epoch, unpack(s.record))
  s.record = {}
end

-- Whether there is such a note. What the call has changed must be flushed before.
function f.isNoted(kind, uid, rid)
  return s.nowMs < s.notedUntil and call('ZSCORE', $SET, kind .. uid .. '\\0' .. rid)
end

-- What a node restores must not bring a user back into a room that it was taken out of since.
function f.noteExpulsion(uid, rid, isOut)
  if s.nowMs < s.notedUntil then s.entries['y' .. uid .. '\\0' .. rid] = isOut and 0 end
end

function f.indexOf(list, value, by)
  for at = 1, #list, by do
    if list[at] == value then return at end
  end
end

-- The rooms of a list of rooms and numbers by turns.
function f.ridsOf(list)
  local rids = {}
  for at = 1, #list, 2 do rids[#rids + 1] = list[at] end
  return rids
end

-- Says that a user has a session on a node.
function f.nodeKey(node, uid)
  return string.char(#node) .. node .. uid
end

-- A node may not know that its connection was taken over, or its session ended. Until it says that it does, or is
-- forgotten, this is remembered.
function f.formerKey(node, uid, sid, connection)
  return 'f' .. node .. '\\0' .. uid .. '\\0' .. sid .. '\\0' .. connection
end

-- Adds the nodes of a user's live sessions to those that were found.
function f.nodesOf(user, nodes, isFound)
  for _, session in ipairs(user[$LIST]) do
    local node = f.nodeOf(session)
    if session[$DEADLINE] == 0 and not isFound[node] then
      isFound[node] = true
      nodes[#nodes + 1] = node
    end
  end
  return nodes
end
`
