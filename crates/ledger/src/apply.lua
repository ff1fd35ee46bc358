local stored = redis.call('GET', KEYS[1])
if stored ~= ARGV[1] then return {'fenced', stored or 'none'} end
local types = {h = 'hash', s = 'set', z = 'zset', v = 'string'}
local balance, last, first = KEYS[#KEYS], #KEYS - 1, 8
local repeated, out = tonumber(ARGV[5]), 0
local is = redis.call('TYPE', balance).ok
if is ~= 'none' and is ~= 'hash' then return {'type', balance, is} end
local at = first
for k = 2, last do
  local found = redis.call('TYPE', KEYS[k]).ok
  if found ~= 'none' and found ~= types[ARGV[at]] then return {'type', KEYS[k], found} end
  at = at + 3 + 3 * tonumber(ARGV[at + 2])
end
local function add(key, field, by)
  local sum = redis.pcall('HINCRBY', key, field, by)
  if type(sum) == 'table' and sum.err then redis.call('HSET', key, 'overflow\31' .. field, by) end
end
local apply = {
  add = add,
  put = function(key, field, value) redis.call('HSET', key, field, value) end,
  putnx = function(key, field, value) redis.call('HSETNX', key, field, value) end,
  setnx = function(key, value) redis.call('SETNX', key, value) end,
  insert = function(key, member) redis.call('SADD', key, member) end,
  rank = function(key, member, score) redis.call('ZADD', key, score, member) end,
  schedule = function(key, member, score)
    local new = redis.call('ZADD', key, 'NX', score, member)
    out, repeated = out + new, repeated + 1 - new
  end,
  raise = function(key, field, to)
    local now = redis.call('HGET', key, field)
    if not now or tonumber(now) < tonumber(to) then redis.call('HSET', key, field, to) end
  end,
  once = function(key, member, counter)
    if redis.call('SADD', key, member) == 0 then repeated = repeated + 1 return end
    local k, by, field = string.match(counter, '^(%d+):(-?%d+):(.*)$')
    add(KEYS[tonumber(k)], field, by)
  end,
}
at = first
for k = 2, last do
  local expiry, operations = ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, operations do
    apply[ARGV[at]](KEYS[k], ARGV[at + 1], ARGV[at + 2])
    at = at + 3
  end
  if string.sub(expiry, 1, 1) == '+' then
    redis.call('EXPIRE', KEYS[k], string.sub(expiry, 2))
  elseif expiry ~= '' then
    local ttl = redis.call('EXPIRETIME', KEYS[k])
    if ttl < tonumber(expiry) then redis.call('EXPIREAT', KEYS[k], expiry) end
  end
end
redis.call('HSETNX', balance, 'since', ARGV[1])
for field, count in pairs({taken = ARGV[3], refused = ARGV[4], repeated = repeated, out = out}) do
  if tonumber(count) ~= 0 then redis.pcall('HINCRBY', balance, field, count) end
end
if ARGV[6] ~= '' then redis.call('HSET', balance, 'last', ARGV[6], 'appended_at', ARGV[7]) end
redis.call('SET', KEYS[1], ARGV[2])
return {'ok'}
