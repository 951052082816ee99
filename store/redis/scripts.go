package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/go-redis/redis/v8"
)

// scripts are the writes that must first look. Each touches the one key that it is given.
type scripts struct {
	add, swap, increment, enroll, withdraw, members, append script

	describe, loadEntry script // of walks and fillings
}

func newScripts() scripts {
	return scripts{
		add:       newScript(addSource),
		swap:      newScript(swapSource),
		increment: newScript(timeFunctions + expireFunctions + incrementSource),
		enroll:    newScript(timeFunctions + expireFunctions + enrollSource),
		withdraw:  newScript(withdrawSource),
		members:   newScript(timeFunctions + membersSource),
		append:    newScript(timeFunctions + expireFunctions + appendSource),
		describe:  newScript(timeFunctions + describeSource),
		loadEntry: newScript(timeFunctions + expireFunctions + loadEntrySource),
	}
}

type script struct{ source, hash string }

func newScript(source string) script {
	hash := sha1.Sum([]byte(source)) // Redis names scripts by SHA-1
	return script{source: source, hash: hex.EncodeToString(hash[:])}
}

// call asks Redis to run the script, which it is expected to have in its cache.
func (s *script) call(ctx context.Context, key string, args ...any) *call {
	return &call{cmd: redis.NewCmd(ctx, append([]any{"evalsha", s.hash, 1, key}, args...)...), key: key, source: s.source}
}

// The sources. A record under KEYS[1] is an 8-byte write id and the value. An empty expiry means that the key stays.

// ARGV: the new record, its expiry. Finding its own id there, the script has run before.
const addSource = `
local id = redis.call('GETRANGE', KEYS[1], 0, 7)
if id ~= '' then
  return id == string.sub(ARGV[1], 1, 8) and 1 or 0
end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
end
return 1
`

// ARGV: the new record, its expiry, the write id of the old record. When the memory is full, the first write of a script
// must be one that frees some: without that nobody could be shut out, or logged out everywhere, until there is room again.
// Any other refusal, such as that of a user who may not write, leaves the record as it is.
const swapSource = `
local id = redis.call('GETRANGE', KEYS[1], 0, 7)
if id ~= ARGV[3] then
  return id == string.sub(ARGV[1], 1, 8) and 1 or 0
end
local set = {'SET', KEYS[1], ARGV[1]}
if ARGV[2] ~= '' then
  set[4], set[5] = 'PXAT', ARGV[2]
end
local answer = redis.pcall(unpack(set))
if answer.err then
  if not string.find(answer.err, 'OOM', 1, true) then return answer end
  redis.call('DEL', KEYS[1])
  redis.call(unpack(set))
end
return 1
`

// ARGV: the expiry.
const incrementSource = `
local n = redis.call('INCR', KEYS[1])
expire(KEYS[1], ARGV[1])
return n
`

// expiry reads the stamp that stands in text from first to last.
const timeFunctions = `
local function microseconds()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function milliseconds()
  return math.floor(microseconds() / 1000)
end
local function expiry(text, first, last)
  local a, b, c, d, e, f = string.byte(text, first, last)
  return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end
`

// expire gives the key its expiry. prolong does so only if the key would go earlier, left being its PTTL before the
// write.
const expireFunctions = `
local function expire(key, at)
  if at == '' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, at) end
end
local function prolong(key, at, left)
  if left == -2 or at == '' or (left >= 0 and milliseconds() + left < tonumber(at)) then expire(key, at) end
end
`

// ARGV: the name, the stamp, the expiry of the key, a random number. The new spelling is written before the old one
// goes, because the write is what fails when the memory is full. Expired members are dropped from two places, the
// beginning and anywhere, a few each time.
const enrollSource = `
local key, name = KEYS[1], ARGV[1]
local member = name .. '\0' .. ARGV[2]
local left = redis.call('PTTL', key)
local spellings = redis.call('ZRANGEBYLEX', key, '[' .. name .. '\0', '(' .. name .. '\1')
redis.call('ZADD', key, 0, member)
for _, old in ipairs(spellings) do
  if #old == #member and old ~= member then redis.call('ZREM', key, old) end
end
local now = milliseconds()
for _, start in ipairs({0, ARGV[4] % redis.call('ZCARD', key)}) do
  for _, m in ipairs(redis.call('ZRANGE', key, start, start + 7)) do
    if m ~= member and expiry(m, -6, -1) <= now then redis.call('ZREM', key, m) end
  end
end
local n = redis.call('ZCARD', key)
if n == 1 then expire(key, ARGV[3]) else prolong(key, ARGV[3], left) end
return n
`

// ARGV: the name.
const withdrawSource = `
local name = ARGV[1]
for _, m in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[' .. name .. '\0', '(' .. name .. '\1')) do
  if #m == #name + 7 then redis.call('ZREM', KEYS[1], m) end
end
return 1
`

// ARGV: where to begin, how many to look at. It answers how many it saw, the last of them, and the live ones. That an
// expired one could not be dropped is no reason to fail a read.
const membersSource = `
local now = milliseconds()
local seen = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local live, dropped = {}, 0
for _, m in ipairs(seen) do
  if expiry(m, -6, -1) > now then
    live[#live + 1] = m
  elseif dropped < 64 then
    redis.pcall('ZREM', KEYS[1], m)
    dropped = dropped + 1
  end
end
return {#seen, seen[#seen] or '', live}
`

// ARGV: the write id, the stamp, the expiry of the key, the value, a time that was told already, how many entries to look
// through for the own id. The number is not below that time: a server that has taken over may be behind it, and may have
// lost the end of the log. The last entry is never trimmed: it carries the last number. What a log tells is mostly that a
// right has ended, so it is written when the memory is full too, behind a deletion of nothing (see swapSource); its
// entries expire.
const appendSource = `
local key, id = KEYS[1], ARGV[1]
local left = redis.call('PTTL', key)
local seq = math.max(microseconds(), tonumber(ARGV[5]))
local now = math.floor(microseconds() / 1000)
local recent = redis.call('XREVRANGE', key, '+', '-', 'COUNT', ARGV[6])
for _, entry in ipairs(recent) do
  if string.sub(entry[2][2], 1, 8) == id then return entry[1] end
end
if recent[1] then
  seq = math.max(seq, tonumber(string.match(recent[1][1], '^%d+')) + 1)
end
local head, first = redis.call('XRANGE', key, '-', '+', 'COUNT', 9), nil
for i = 1, #head - 1 do
  if expiry(head[i][2][2], 9, 14) > now then break end
  first = head[i + 1][1]
end
if first then redis.call('XTRIM', key, 'MINID', first) end
local number = string.format('%.0f-0', seq)
local entry = {'XADD', key, number, 'e', id .. ARGV[2] .. ARGV[4]}
local answer = redis.pcall(unpack(entry))
if type(answer) == 'table' and answer.err then
  if not string.find(answer.err, 'OOM', 1, true) then return answer end
  redis.call('XDEL', key, '0-1')
  redis.call(unpack(entry))
end
prolong(key, ARGV[3], left)
return number
`
