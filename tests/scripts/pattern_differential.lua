-- Driver of the differential test: every result, or the error, as one text.
local function show(...)
  local out = {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    out[i] = type(v) .. ":" .. tostring(v)
  end
  return table.concat(out, "|")
end

local operations = {
  [0] = function(s, text, pattern, init) return s.find(text, pattern, init) end,
  function(s, text, pattern, init) return s.match(text, pattern, init) end,
  function(s, text, pattern) return s.gsub(text, pattern, "<%0>") end,
  function(s, text, pattern, init) return s.gsub(text, pattern, "[%1]", init) end,
  function(s, text, pattern) return s.gsub(text, pattern, { a = "A", b = false, ["1"] = 7 }) end,
  function(s, text, pattern)
    return s.gsub(text, pattern, function(...) return select("#", ...) > 1 and show(...) or nil end)
  end,
  function(s, text, pattern)
    local all = {}
    for a, b in s.gmatch(text, pattern) do all[#all + 1] = show(a, b) end
    return table.concat(all, ";")
  end,
  function(s, text, pattern, init) return s.find(text, pattern, init, init % 2 == 0) end,
}

-- Of an error only its kind counts: our texts say more than Lua's.
local kinds = {
  "malformed pattern", "unbalanced", "missing '%['", "invalid capture", "invalid pattern capture",
  "unfinished capture", "too complex", "too many captures", "invalid replacement",
}

local function answer(ok, ...)
  if ok then return show(...) end
  local message = tostring((...))
  for _, kind in ipairs(kinds) do
    if message:find(kind) then return "error: " .. kind end
  end
  return "error: " .. message
end

function run(s, operation, ...)
  return answer(pcall(operations[operation], s, ...))
end
