-- For wrk: goes through prepared POSTs and ends with one line of JSON.
--   wrk ... -s wrk.lua URL -- orders|letters
-- luacheck: globals wrk init request done io
local prepared, at = {}, 0

local function body(i)
  return ('{"id":"o-%06d","who":"Hermione Granger","items":[{"name":"quill","count":%d},'
    .. '{"name":"ink","count":1}],"paid":true}'):format(i, i % 9 + 1)
end

function init(args)
  for i = 1, 1000 do
    local path = args[1] == "letters" and "/letters/k" .. i or "/orders"
    prepared[i] = wrk.format("POST", path, { ["content-type"] = "application/json" }, body(i))
  end
end

function request()
  at = at % #prepared + 1
  return prepared[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(('{"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p99_ms": %f}\n'):format(
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
