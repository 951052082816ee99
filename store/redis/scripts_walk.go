package redis

// ARGV: which keys are wanted: records that expire (p), records that stay (l), counters (c) or all (a). It answers the
// value, the last millisecond in which the key lives, -1 for a key that stays, and 1 for a counter; or nothing. Redis 6.2
// tells only how long a key has left: that is exact when the clock has not moved between two looks.
const describeSource = `
local value = redis.call('GET', KEYS[1])
if not value then return {} end
local counter = string.find(value, '^%d+$') and 1 or 0
local now, left
repeat
  now = milliseconds()
  left = redis.call('PTTL', KEYS[1])
until left < 0 or now == milliseconds()
if left == -2 then return {} end
local kind = 'l'
if left >= 0 then kind = 'p' end
if counter == 1 then kind = 'c' end
if ARGV[1] ~= 'a' and ARGV[1] ~= kind then return {} end
if left >= 0 then left = now + left end
return {value, left, counter}
`

// ARGV: the write id, the stamp, the expiry of the key, the value, the number. An entry of that number is its own: the
// script has run before.
const loadEntrySource = `
local key, number = KEYS[1], ARGV[5]
if #redis.call('XRANGE', key, number, number) == 0 then
  local left = redis.call('PTTL', key)
  redis.call('XADD', key, number, 'e', ARGV[1] .. ARGV[2] .. ARGV[4])
  prolong(key, ARGV[3], left)
end
return number
`
