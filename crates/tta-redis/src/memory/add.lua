-- Adds an entry as the newest; first those go whose time has passed, then the oldest, until there
-- is room. KEYS: values by key, keys by age, keys by when they are gone.
-- ARGV: key, value, now, when it is gone or '', how many there may be.
local function forget(keys)
  for _, key in ipairs(keys) do
    redis.call('HDEL', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
    redis.call('ZREM', KEYS[3], key)
  end
end
-- Not all at once: nobody else is served meanwhile. One that goes makes the room that one needs.
local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3], 'LIMIT', 0, 1000)
forget(expired)
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local number = newest[2] and tonumber(newest[2]) + 1 or 1
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', number), ARGV[1])
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
end
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if over > 0 then
  forget(redis.call('ZRANGE', KEYS[2], 0, over - 1))
end
return { math.max(over, 0), #expired }
