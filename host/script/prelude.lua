-- What the sandbox builds in Lua: coroutines and xpcall.
-- A host yield (its first value is the mark) inside a coroutine that the script made itself has to
-- reach the host, so resume passes it on and gives the answer back to where it was asked.
local mark, raw, raw_xpcall, guard_handler, raise, error, type, setmetatable = ...
local raw_resume, raw_yield, raw_create = raw.resume, raw.yield, raw.create
local isyieldable, running = raw.isyieldable, raw.running

-- Coroutines that resume each other nest on the C stack, which LuaJIT does not bound.
local kDeepest = 190
local levels = setmetatable({}, { __mode = "k" })

local function resume(co, ...)
  local level = (levels[running()] or 0) + 1
  if level > kDeepest then return false, "C stack overflow (coroutines nested too deep)" end
  levels[co] = level
  return raw_resume(co, ...)
end

local function relay(co, ok, first, ...)
  if ok and first == mark then
    if not isyieldable() then
      return false, "a coroutine cannot wait for the host inside table.sort or string.gsub"
    end
    return relay(co, raw_resume(co, raw_yield(first, ...)))
  end
  return ok, first, ...
end

local C = {
  create = raw.create,
  running = raw.running,
  status = raw.status,
  yield = raw.yield,
  isyieldable = isyieldable,
}

function C.resume(co, ...)
  if type(co) ~= "thread" then raise("coroutine.resume needs a coroutine") end
  return relay(co, resume(co, ...))
end

local function results(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

function C.wrap(f)
  local co = raw_create(f)
  return function(...) return results(relay(co, resume(co, ...))) end
end

local function xpcall(f, handler, ...)
  return raw_xpcall(f, guard_handler(handler), ...)
end

return C, xpcall, resume
