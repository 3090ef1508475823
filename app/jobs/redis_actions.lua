-- What is done to jobs, in one script with redis_state.lua: Redis does nothing else meanwhile.
--
-- KEYS: the stream. ARGV: one of these actions, then what it takes.
local actions = {}

-- What a claim before it has left: released, or its lease is over. XAUTOCLAIM would do, but looks at ten entries a call.
local function left_over(consumer, lease_ms)
    while true do
        local pending = redis.call('XPENDING', stream, group, 'IDLE', lease_ms, '-', '+', 1)[1]
        if not pending then
            return nil
        end
        local entry = redis.call('XCLAIM', stream, group, consumer, 0, pending[1])[1]
        if entry then
            return entry
        end
        -- Somebody else has removed it from the stream.
        drop(pending[1])
    end
end

local function next_entry(consumer)
    local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', stream, '>')
    return read and read[1][2][1]
end

local function newest_entry()
    local about = redis.call('XINFO', 'STREAM', stream)
    for place = 1, #about, 2 do
        if about[place] == 'last-generated-id' then
            return about[place + 1]
        end
    end
end

local function start(id, consumer, entry)
    become(id, 'running')
    redis.call('HSET', hash(id), 'started', whole(now), 'consumer', consumer, 'entry', entry, 'done', 0, 'total', 0)
    redis.call('HINCRBY', hash(id), 'attempts', 1)
    redis.call('HINCRBY', hash(id), 'token', 1)
    local wanted = {'kind', 'model', 'version', 'owner', 'payload', 'key', 'attempts', 'token'}
    return redis.call('HMGET', hash(id), unpack(wanted))
end

-- key: of the owner and their idempotency key, or empty. The rest: fields of the hash.
function actions.enqueue(id, key, digest, most_queued, ...)
    local first = key ~= '' and redis.call('HGET', keys, key)
    if first and get(first, 'status') then
        return get(first, 'digest') == digest and show(first) or 'reused'
    end
    if redis.call('ZCARD', prefix .. ':queued') >= tonumber(most_queued) then
        return 'full'
    end
    redis.call('HSET', hash(id), 'id', id, 'created', whole(now), 'token', 0, ...)
    begin_anew(id, 0)
    queue_up(id)
    if key ~= '' then
        redis.call('HSET', hash(id), 'unique', key, 'digest', digest)
        redis.call('HSET', keys, key, id)
    end
    return show(id)
end

function actions.cancel(id, owner)
    local owned_by, status = get(id, 'owner', 'status')
    if owned_by ~= owner or (status ~= 'queued' and status ~= 'running') then
        return 0
    end
    finish(id, 'cancelled')
    return 1
end

-- The fields of a claim, or the newest entry that there has been: only after it may there be another job.
function actions.claim(consumer, lease_ms, most_attempts, ran_out)
    make_stream()
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', whole(now), 'LIMIT', 0, most_at_once)) do
        redis.call('ZREM', delayed, id)
        queue_up(id)
    end
    while true do
        local entry = left_over(consumer, lease_ms) or next_entry(consumer)
        if not entry then
            return newest_entry()
        end
        local id = entry[2][2]
        local status, attempts = get(id, 'status', 'attempts')
        if status == 'running' and tonumber(attempts) >= tonumber(most_attempts) then
            finish(id, 'failed')
            redis.call('HSET', hash(id), 'error', ran_out)
        elseif status then
            return {id, start(id, consumer, entry[1])}
        else
            -- Somebody else has removed the hash.
            drop(entry[1])
        end
    end
end

function actions.renew(id, token, done, total)
    if not held(id, token) then
        return 0
    end
    local consumer, entry = get(id, 'consumer', 'entry')
    redis.call('XCLAIM', stream, group, consumer, 0, entry, 'JUSTID')
    redis.call('HSET', hash(id), 'done', done, 'total', total)
    return 1
end

-- With what is to be said of it in one more field.
local function finish_held(id, token, status, field, value)
    if not held(id, token) then
        return 0
    end
    finish(id, status)
    redis.call('HSET', hash(id), field, value)
    return 1
end

function actions.succeed(id, token, result)
    return finish_held(id, token, 'succeeded', 'result', result)
end

function actions.fail(id, token, error)
    return finish_held(id, token, 'failed', 'error', error)
end

function actions.delay(id, token, attempts, wait_us)
    if not held(id, token) then
        return 0
    end
    leave_queue(id)
    begin_anew(id, attempts)
    redis.call('ZADD', delayed, whole(now + wait_us), id)
    return 1
end

-- Its entry stays pending, as if it had been so since 1970: the next claim finds it before any other.
function actions.release(id, token, attempts)
    if not held(id, token) then
        return 0
    end
    local consumer, entry = get(id, 'consumer', 'entry')
    redis.call('XCLAIM', stream, group, consumer, 0, entry, 'TIME', 1, 'JUSTID')
    begin_anew(id, attempts)
    return 1
end

function actions.replay(id)
    if get(id, 'status') ~= 'failed' then
        return 0
    end
    begin_anew(id, 0)
    queue_up(id)
    return 1
end

local function forget(id, status)
    local unique = get(id, 'unique')
    if unique and redis.call('HGET', keys, unique) == id then
        redis.call('HDEL', keys, unique)
    end
    redis.call('UNLINK', hash(id))
    redis.call('ZREM', prefix .. ':' .. status, id)
end

local function forget_consumers(idle_ms)
    if redis.call('EXISTS', stream) == 0 then
        return
    end
    for _, about in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
        local consumer = {}
        for place = 1, #about, 2 do
            consumer[about[place]] = about[place + 1]
        end
        if consumer.pending == 0 and consumer.idle > tonumber(idle_ms) then
            redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
        end
    end
end

-- Some of each status, and how many; 0 once there are none.
function actions.sweep(result_us, idle_ms)
    local forgotten = 0
    for _, status in ipairs({'succeeded', 'failed', 'cancelled'}) do
        local line = prefix .. ':' .. status
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', line, '-inf', whole(now - result_us), 'LIMIT', 0, most_at_once)) do
            forget(id, status)
            forgotten = forgotten + 1
        end
    end
    forget_consumers(idle_ms)
    return forgotten
end

return actions[ARGV[1]](unpack(ARGV, 2))
