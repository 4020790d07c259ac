-- Scripts that eat memory. Each must end in an error, and the state must work afterwards.
return {
  ["a table"] = [[local t = {} for i = 1, 1e9 do t[i] = i end]],
  ["tables in a table"] = [[local t = {} for i = 1, 1e9 do t[i] = {} end]],
  ["a doubled string"] = [[local s = "x" while true do s = s .. s end]],
  ["a huge rep"] = [[return #("x"):rep(1e9)]],
  ["a huge rep of rep"] = [[return #("x"):rep(1e6):rep(1e5)]],
  ["many strings"] = [[local t = {} for i = 1, 1e9 do t[i] = "text " .. i end]],
  ["closures"] = [[local t = {} for i = 1, 1e9 do t[i] = function() return i end end]],
  ["coroutines"] = [[local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end]],
  ["concat"] = [[local t = {} for i = 1, 1000 do t[i] = ("x"):rep(1e5) end return #table.concat(t)]],
  ["keys"] = [[local t = {} for i = 1, 1e9 do t["k" .. i] = true end]],
  ["deep recursion with tables"] = [[local function f(t) return { f({ t }) } end return f({})]],
  ["a linked list"] = [[local l while true do l = { l } end]],
  ["bombs inside pcall"] = [[local t = {} while true do
    if not pcall(function() for i = 1, 1e6 do t[#t + 1] = {} end end) then error("full") end end]],
  ["a bomb in a coroutine"] = [[coroutine.wrap(function() local t = {}
    while true do t[#t + 1] = ("x"):rep(1000) .. #t end end)()]],
  ["gsub that grows"] = [[return #(("x"):rep(1e6):gsub("x", ("y"):rep(1000)))]],
  ["gsub with a template that grows"] = [[return #(("x"):rep(1e6):gsub(".*", ("%0"):rep(1e5)))]],
  ["lower of a large text"] = [[local t = {} while true do t[#t + 1] = (("X"):rep(1e6) .. #t):lower() end]],
}
