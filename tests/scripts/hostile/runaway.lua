-- Scripts that never end by themselves. Each must be cut with an error that names a line, and the
-- state must work afterwards.
return {
  ["an empty loop"] = [[while true do end]],
  ["a counting loop"] = [[local x = 0 while true do x = x + 1 end]],
  ["a for loop"] = [[local x = 0 for i = 1, 1e300 do x = x + i % 7 end]],
  ["a repeat loop"] = [[local x = 0 repeat x = x + 1 until x < 0]],
  ["goto"] = [[::again:: goto again]],
  ["strings"] = [[local s while true do s = ("a"):rep(10):upper() s = string.format("%d", #s) end]],
  ["pcall around a loop"] = [[while true do pcall(function() while true do end end) end]],
  ["pcall of itself"] = [[local function f() pcall(f) return f() end f()]],
  ["coroutines"] = [[while true do
    local co = coroutine.create(function() local t = {} while true do t[#t % 100 + 1] = {} end end)
    coroutine.resume(co) end]],
  ["wrapped coroutines"] = [[local g = coroutine.wrap(function() while true do coroutine.yield(1) end end)
    while true do g() end]],
  ["pairs"] = [[local t = {} for i = 1, 50 do t["k" .. i] = i end
    while true do for k, v in pairs(t) do t[k] = v + 1 end end]],
  ["recursion"] = [[local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end
    while true do f(50) end]],
  ["tail calls"] = [[local function f() return f() end return f()]],
  ["metamethods"] = [[while true do local ok = pcall(error, {})
    local t = setmetatable({}, { __index = function(_, k) return k end }) local y = t.x end]],
  ["an endless __index"] = [[local t = setmetatable({}, { __index = function(t, k) while true do end end })
    return t.x]],
  ["sort with a loop"] = [[local t = {} while true do for i = 1, 100 do t[i] = (i * 7919) % 101 end
    table.sort(t, function(a, b) return a < b end) end]],
  ["gsub callbacks"] = [[while true do
    local s = ("x"):rep(100):gsub("x", function(c) return c .. c end) end]],
  ["an endless gsub callback"] = [[return ("x"):gsub("x", function() while true do end end)]],
  ["an endless xpcall handler"] = [[xpcall(error, function() while true do end end)]],
  ["xpcall in a loop"] = [[while true do xpcall(function() while true do end end,
    function() while true do end end) end]],
  ["an endless tostring"] = [[return tostring(setmetatable({}, { __tostring = function()
    while true do end end }))]],
  ["an endless iterator"] = [[for _ in function() return 1 end do end]],
  ["swallowed in a comparator"] = [[table.sort({ 3, 2, 1, 5, 4 }, function(a, b)
    while true do pcall(function() while true do end end) end end)]],
}
