-- The `t` of a test. `native` drives the plugins; what is said here is how a test reads.
local native = ...
local t = {}

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  if next(value) == nil then return "{}" end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
    return type(a) < type(b)
  end)
  for i, key in ipairs(keys) do
    if i > 20 then
      parts[#parts + 1] = "..."
      break
    end
    local name = type(key) == "number" and "" or tostring(key) .. " = "
    parts[#parts + 1] = name .. show(value[key])
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function step(at, key)
  if type(key) == "number" then return at .. "[" .. key .. "]" end
  return at == "" and tostring(key) or at .. "." .. tostring(key)
end

-- Where two values differ: path, wanted, got; nothing when they are the same.
local function difference(want, got, at)
  if want == got then return nil end
  if type(want) ~= "table" or type(got) ~= "table" then return at, want, got end
  for key, value in pairs(want) do
    local where, wanted, found = difference(value, got[key], step(at, key))
    if where then return where, wanted, found end
  end
  for key, value in pairs(got) do
    if want[key] == nil then return step(at, key), nil, value end
  end
  return nil
end

function t.same(_, want, got)
  local at, wanted, found = difference(want, got, "")
  if not at then return end
  local where = at == "" and "" or " at " .. at
  error(("wanted %s, got %s%s"):format(show(wanted), show(found), where), 2)
end

function t.raises(_, pattern, f)
  local fine, err = pcall(f)
  if fine then error(("nothing was raised, wanted an error like %q"):format(pattern), 2) end
  local text = type(err) == "table" and err.message or tostring(err)
  if not text:find(pattern) then
    error(("wanted an error like %q, got %q"):format(pattern, text), 2)
  end
end

function t.send(_, topic, key, payload) return native.send(topic, key, payload) end
function t.request(_, route, options) return native.request(route, options or {}) end
function t.advance(_, duration) return native.advance(duration) end
function t.run(_, most) return native.run(most) end
function t.sent(_, topic) return native.sent(topic) end
function t.state(_, plugin, key)
  if key == nil then return native.state("", plugin) end
  return native.state(plugin, key)
end
function t.llm() error("t:llm is not in this version", 2) end
function t.chaos() error("t:chaos is not in this version", 2) end

return t
