-- How jobs lie in Redis, and their steps from one status to the next; redis_actions.lua goes on from here.
--
-- A job is a hash. While it is queued or running it is an entry of the stream, but for one that waits for its backoff.
-- Those of one status are a sorted set, by the microsecond in which they got it. All keys begin like the stream's, so
-- that one slot of a cluster has them all.
local stream = KEYS[1]
local prefix = string.match(stream, '^(.*):stream$')
local group = 'consumers'
local delayed = prefix .. ':delayed'
local keys = prefix .. ':keys'
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local most_at_once = 100
local shown = {'id', 'owner', 'status', 'created', 'attempts', 'done', 'total', 'started', 'since', 'error'}

-- Without the exponent that Lua gives to large numbers.
local function whole(number)
    return string.format('%.0f', number)
end

local function hash(id)
    return prefix .. ':job:' .. id
end

local function get(id, ...)
    return unpack(redis.call('HMGET', hash(id), ...))
end

-- But for its result, which may be large.
local function show(id)
    return redis.call('HMGET', hash(id), unpack(shown))
end

local function become(id, status)
    local before = get(id, 'status')
    if before then
        redis.call('ZREM', prefix .. ':' .. before, id)
    end
    redis.call('ZADD', prefix .. ':' .. status, whole(now), id)
    redis.call('HSET', hash(id), 'status', status, 'since', whole(now))
end

local function make_stream()
    if redis.call('EXISTS', stream) == 0 then
        redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    end
end

local function queue_up(id)
    make_stream()
    redis.call('HSET', hash(id), 'entry', redis.call('XADD', stream, '*', 'job', id))
end

local function drop(entry)
    redis.call('XACK', stream, group, entry)
    redis.call('XDEL', stream, entry)
end

local function leave_queue(id)
    local entry = get(id, 'entry')
    if entry then
        drop(entry)
        redis.call('HDEL', hash(id), 'entry')
    end
    redis.call('ZREM', delayed, id)
end

local function finish(id, status)
    leave_queue(id)
    become(id, status)
    -- Only what failed may run again.
    if status ~= 'failed' then
        redis.call('HDEL', hash(id), 'payload')
    end
end

local function begin_anew(id, attempts)
    become(id, 'queued')
    redis.call('HSET', hash(id), 'attempts', attempts, 'done', 0, 'total', 0)
    redis.call('HDEL', hash(id), 'started', 'error')
end

local function held(id, token)
    local status, last = get(id, 'status', 'token')
    return status == 'running' and last == token
end
