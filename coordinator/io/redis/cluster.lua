-- What coordinators share on Redis, and the only code that changes it: each call is one step of the whole cluster.
--
-- KEYS[1] is the beginning of all keys; ARGV is the operation, the coordinator's name ("node"), and what the operation takes.
-- Returns 0 when it was carried out, FENCED when that coordinator does not belong to the cluster (any more), else see the operation.
--
--   nodes        sorted set: the coordinators, by when their leases end (ms, Redis' own clock)
--   gone         sorted set: coordinators that have left or died, of whose aliases some are still to be freed
--   renewed      when a lease was last renewed
--   aliases      hash: who holds an alias
--   servers      hash: the coordinator that has a comm server's socket, and the server's state
--   held:NODE    set: the aliases that NODE holds, so that they can be freed without looking at all others
--   inbox:NODE   list: messages for NODE, in the order in which these steps were taken
--   fingerprint  of the secret that all have in common
--   revocations  hash: tokens that are refused for a time, each as JSON
--   revoked      sorted set: the same, by when it ends (seconds since the epoch)
--
-- Every key expires: whatever writes one puts that off, and so does every coordinator that lives, for all of them, when it renews its lease.
-- So a cluster that is gone for good leaves nothing behind, and one that is off for a night finds everything as it was.

local PREFIX = KEYS[1]
local OP, NODE = ARGV[1], ARGV[2]
local NODES, GONE, RENEWED = PREFIX .. 'nodes', PREFIX .. 'gone', PREFIX .. 'renewed'
local ALIASES, SERVERS = PREFIX .. 'aliases', PREFIX .. 'servers'
local FINGERPRINT = PREFIX .. 'fingerprint'
local REVOCATIONS, REVOKED = PREFIX .. 'revocations', PREFIX .. 'revoked'

local FENCED, MISSING, FULL = -1, 1, 2

-- What may wait for one coordinator. One that does not read leaves the cluster, and comes back when it does.
local INBOX_LIMIT = 16384
-- Frames of peers leave room for what must arrive, and reports, which come again in a second, for frames.
local FRAME_LIMIT = 4096
local REPORT_LIMIT = 512
-- Aliases freed in one step, each some 5 microseconds in which Redis does nothing else.
local SWEEP_LIMIT = 2000

-- How long the keys of a cluster without coordinators stay, in seconds. Revocations stay until the last of them ends, if that is longer.
local FORGET_S = 24 * 60 * 60
-- The year 9999: Redis refuses times that do not fit into its milliseconds.
local LATEST_S = 253402300799

local function keep(key)
  redis.call('EXPIRE', key, FORGET_S)
end

local function milliseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

local function is_member(node)
  return redis.call('ZSCORE', NODES, node)
end

-- A process joins under a new name each time: "name.1", "name.2" ...
local function process_of(node)
  return string.match(node, '^[^.]*')
end

local function depart(node)
  if redis.call('ZREM', NODES, node) == 1 then
    redis.call('ZADD', GONE, milliseconds(), node)
    keep(GONE)
    redis.call('DEL', PREFIX .. 'inbox:' .. node)
  end
end

local function push(node, message)
  local waiting = redis.call('RPUSH', PREFIX .. 'inbox:' .. node, message)
  if waiting == 1 then
    keep(PREFIX .. 'inbox:' .. node)
  elseif waiting > INBOX_LIMIT then
    depart(node)
  end
end

local function tell_others(node, message, limit)
  for _, other in ipairs(redis.call('ZRANGE', NODES, 0, -1)) do
    if other ~= node and not (limit and redis.call('LLEN', PREFIX .. 'inbox:' .. other) >= limit) then
      push(other, message)
    end
  end
end

-- Servers

local function server_up(node, alias, state)
  redis.call('HSET', SERVERS, alias, node .. '\n' .. state)
  keep(SERVERS)
  tell_others(node, 'up ' .. alias .. ' ' .. node .. '\n' .. state)
end

local function is_at(node, alias)
  local record = redis.call('HGET', SERVERS, alias)
  return record and string.match(record, '^[^\n]*') == node
end

local function server_down(node, alias)
  if is_at(node, alias) then
    redis.call('HDEL', SERVERS, alias)
    tell_others(node, 'down ' .. alias .. ' ' .. node)
  end
end

-- Aliases

local function holder_of(alias)
  local record = redis.call('HGET', ALIASES, alias)
  if not record then
    return nil
  end
  local node, key, since, proven, own, role, subject = string.match(record, '^(%S+) (%S+) (%S+) (%d) (%d) (%S+) (.*)$')
  if not is_member(node) then
    return nil
  end
  return {
    node = node, key = key, since = tonumber(since), proven = proven == '1', takes_own = own == '1', role = role, subject = subject,
  }
end

local function is_server(role)
  return role ~= 'CLIENT'
end

-- coordinator/core/cluster.py, may_have: the same rule, and a test that compares the two.
local function may_have(claim, holder)
  if not holder then
    return claim.proven or claim.takes_free
  end
  if is_server(holder.role) ~= is_server(claim.role) then
    return false
  end
  if claim.proven then
    return true
  end
  return claim.takes_own and claim.subject ~= '' and claim.subject == holder.subject and claim.role == holder.role
end

-- Two that hold an alias, since they could not ask: the later one's claim is judged as it would have been then.
local function outlasts(claim, holder)
  if not holder then
    return true
  end
  if holder.since > claim.since then
    return not may_have(holder, claim)
  end
  return may_have(claim, holder)
end

local function note_held(node, alias)
  redis.call('SADD', PREFIX .. 'held:' .. node, alias)
  keep(PREFIX .. 'held:' .. node)
end

local function flag(value)
  return value and '1' or '0'
end

local function hold(claim, holder)
  local record = { claim.node, claim.key, text(claim.since), flag(claim.proven), flag(claim.takes_own), claim.role, claim.subject }
  redis.call('HSET', ALIASES, claim.alias, table.concat(record, ' '))
  keep(ALIASES)
  note_held(claim.node, claim.alias)
  if holder then
    push(holder.node, 'evicted ' .. holder.key .. ' ' .. claim.alias)
  end
  if claim.state ~= '' then
    server_up(claim.node, claim.alias, claim.state)
  end
  if holder and holder.node ~= claim.node and not is_at(holder.node, claim.alias) then
    redis.call('SREM', PREFIX .. 'held:' .. holder.node, claim.alias)
  end
end

local function read_claim(since)
  return {
    node = NODE, key = ARGV[3], alias = ARGV[4], role = ARGV[5], proven = ARGV[6] == '1', takes_free = ARGV[7] == '1',
    takes_own = ARGV[8] == '1', subject = ARGV[9], state = ARGV[10], since = since,
  }
end

local function release(node, key, alias)
  local record = redis.call('HGET', ALIASES, alias)
  if record and string.find(record, node .. ' ' .. key .. ' ', 1, true) == 1 then
    redis.call('HDEL', ALIASES, alias)
    redis.call('SREM', PREFIX .. 'held:' .. node, alias)
    server_down(node, alias)
  end
end

-- Coordinators that are gone

local function forget(node, alias)
  local record = redis.call('HGET', ALIASES, alias)
  if record and string.find(record, node .. ' ', 1, true) == 1 then
    redis.call('HDEL', ALIASES, alias)
  end
  server_down(node, alias)
end

local function sweep()
  local left = SWEEP_LIMIT
  for _, node in ipairs(redis.call('ZRANGE', GONE, 0, -1)) do
    -- It must outlast what it says is to be freed, which living coordinators keep.
    keep(PREFIX .. 'held:' .. node)
    while left > 0 do
      local found = redis.call('SPOP', PREFIX .. 'held:' .. node, 100)
      for _, alias in ipairs(found) do
        forget(node, alias)
      end
      left = left - 100
      if #found < 100 then
        redis.call('ZREM', GONE, node)
        break
      end
    end
  end
end

-- When nobody has renewed for most of a lease it was Redis that was away (stopped, restarted, its clock set), and no coordinator
-- could do anything about it: all get time to renew before any is taken for dead.
local function be_fair(now, lease)
  local last = tonumber(redis.call('GET', RENEWED) or now)
  local stepped_back = now < last
  if stepped_back or now - last > lease * 2 / 3 then
    local fair = now + lease / 2
    for _, node in ipairs(redis.call('ZRANGE', NODES, 0, -1)) do
      if stepped_back or tonumber(is_member(node)) < fair then
        redis.call('ZADD', NODES, text(fair), node)
      end
    end
  end
  redis.call('SET', RENEWED, text(now), 'EX', FORGET_S)
end

-- Revocations

local function forget_revocations(fields)
  for _, field in ipairs(fields) do
    redis.call('HDEL', REVOCATIONS, field)
    redis.call('ZREM', REVOKED, field)
  end
end

local function keep_revocations()
  local last = redis.call('ZRANGE', REVOKED, -1, -1, 'WITHSCORES')[2]
  if last then
    local forgotten = milliseconds() / 1000 + FORGET_S
    local at = text(math.min(math.ceil(math.max(forgotten, tonumber(last))), LATEST_S))
    redis.call('EXPIREAT', REVOCATIONS, at)
    redis.call('EXPIREAT', REVOKED, at)
  end
end

-- coordinator/core/cluster.py, Revocation.supersedes
local function supersedes(new, known)
  if new.made_at ~= known.made_at then
    return new.made_at > known.made_at
  end
  if new.lifted ~= known.lifted then
    return new.lifted
  end
  return new['until'] > known['until']
end

local function renew(node, lease)
  local now = milliseconds()
  be_fair(now, lease)
  redis.call('ZADD', NODES, text(now + lease), node)
  for _, key in ipairs({ NODES, GONE, ALIASES, SERVERS, FINGERPRINT, PREFIX .. 'held:' .. node, PREFIX .. 'inbox:' .. node }) do
    keep(key)
  end
  for _, expired in ipairs(redis.call('ZRANGEBYSCORE', NODES, '-inf', text(now))) do
    depart(expired)
  end
  sweep()
  forget_revocations(redis.call('ZRANGEBYSCORE', REVOKED, '-inf', text(now / 1000), 'LIMIT', 0, 100))
  keep_revocations()
  return now
end

-- Operations

local operations = {}

-- enter NODE lease fingerprint: returns Redis' time in ms, how many coordinators there are, 1 where they all have this fingerprint,
-- all servers' records, and all revocations.
operations.enter = function()
  local is_first = redis.call('ZCARD', NODES) == 0
  local now = renew(NODE, tonumber(ARGV[3]))
  if is_first or not redis.call('GET', FINGERPRINT) then
    redis.call('SET', FINGERPRINT, ARGV[4], 'EX', FORGET_S)
  end
  local same = redis.call('GET', FINGERPRINT) == ARGV[4] and 1 or 0
  return { text(now), redis.call('ZCARD', NODES), same, redis.call('HVALS', SERVERS), redis.call('HVALS', REVOCATIONS) }
end

-- renew NODE lease: returns Redis' time in ms, and how many coordinators there are.
operations.renew = function()
  local now = renew(NODE, tonumber(ARGV[3]))
  return { text(now), redis.call('ZCARD', NODES) }
end

-- leave NODE: frees what it holds.
operations.leave = function()
  depart(NODE)
  sweep()
  return 0
end

-- retire NODE: what this process held under former names, and has not claimed again, is freed.
operations.retire = function()
  for _, other in ipairs(redis.call('ZRANGE', NODES, 0, -1)) do
    if other ~= NODE and process_of(other) == process_of(NODE) then
      depart(other)
    end
  end
  sweep()
  return 0
end

-- mark NODE: a message to itself, behind everything that has been done so far.
operations.mark = function()
  push(NODE, 'mark')
  return 0
end

-- claim NODE key alias role proven takes_free takes_own subject state: the answer comes as a message.
operations.claim = function()
  local claim = read_claim(milliseconds())
  local holder = holder_of(claim.alias)
  local granted = may_have(claim, holder)
  push(NODE, 'claimed ' .. claim.key .. ' ' .. claim.alias .. ' ' .. flag(granted) .. ' ' .. text(claim.since))
  if granted then
    hold(claim, holder)
  end
  return 0
end

-- reclaim ... since: an alias that this process has had since then. It hears nothing, unless it has to give way.
operations.reclaim = function()
  local claim = read_claim(tonumber(ARGV[11]))
  local holder = holder_of(claim.alias)
  if holder and process_of(holder.node) == process_of(NODE) then
    redis.call('SREM', PREFIX .. 'held:' .. holder.node, claim.alias)
    holder = nil
  end
  if outlasts(claim, holder) then
    hold(claim, holder)
  else
    push(NODE, 'evicted ' .. claim.key .. ' ' .. claim.alias)
  end
  return 0
end

-- release NODE key alias
operations.release = function()
  release(NODE, ARGV[3], ARGV[4])
  return 0
end

-- up NODE alias state. One that another coordinator holds by now has moved there.
operations.up = function()
  local holder = holder_of(ARGV[3])
  if not holder or holder.node == NODE then
    note_held(NODE, ARGV[3])
    server_up(NODE, ARGV[3], ARGV[4])
  end
  return 0
end

-- down NODE alias
operations.down = function()
  local holder = holder_of(ARGV[3])
  if not holder or holder.node ~= NODE then
    redis.call('SREM', PREFIX .. 'held:' .. NODE, ARGV[3])
  end
  server_down(NODE, ARGV[3])
  return 0
end

-- report NODE message: for all others that have room for it.
operations.report = function()
  tell_others(NODE, ARGV[3], REPORT_LIMIT)
  return 0
end

-- forward NODE alias message: to who holds the alias. MISSING when nobody else does, FULL when there is no room.
operations.forward = function()
  local holder = holder_of(ARGV[3])
  if not holder or holder.node == NODE then
    return MISSING
  end
  if redis.call('LLEN', PREFIX .. 'inbox:' .. holder.node) >= FRAME_LIMIT then
    return FULL
  end
  push(holder.node, ARGV[4])
  return 0
end

-- back NODE origin message: a frame that found nobody, to where it came from.
operations.back = function()
  if is_member(ARGV[3]) and redis.call('LLEN', PREFIX .. 'inbox:' .. ARGV[3]) < FRAME_LIMIT then
    push(ARGV[3], ARGV[4])
  end
  return 0
end

-- revoke NODE field limit revocation until: of two about the same tokens the later one is kept; none of them is for ever.
operations.revoke = function()
  local field, limit, new = ARGV[3], tonumber(ARGV[4]), cjson.decode(ARGV[5])
  local known = redis.call('HGET', REVOCATIONS, field)
  if known and not supersedes(new, cjson.decode(known)) then
    return 0
  end
  redis.call('HSET', REVOCATIONS, field, ARGV[5])
  redis.call('ZADD', REVOKED, ARGV[6], field)
  if redis.call('HLEN', REVOCATIONS) > limit then
    forget_revocations(redis.call('ZRANGE', REVOKED, 0, 0))
  end
  keep_revocations()
  tell_others(NODE, 'revoked\n' .. ARGV[5])
  return 0
end

-- tell NODE message: for all others.
operations.tell = function()
  tell_others(NODE, ARGV[3], FRAME_LIMIT)
  return 0
end

if OP ~= 'enter' and OP ~= 'leave' and not is_member(NODE) then
  return FENCED
end
return operations[OP]()
