-- Every kind of mistake that a handler can make, each on its topic.
local spec = require "host.spec"

local function forever()
  while true do end
end

local function eat()
  local all = {}
  for i = 1, 1e9 do all[i] = ("x"):rep(1000) .. i end
  return all
end

local mistakes = {
  raise = function() error("it breaks") end,
  endless_loop = forever,
  endless_pcall = function()
    while true do pcall(forever) end
  end,
  memory_bomb = eat,
  backtracking = function() return (("a"):rep(30000)):find(".-.-.-.-b") end,
  state_size = function(ctx) ctx.state.text = ("x"):rep(300000) end,
  sql_commit = function(ctx) ctx:exec("insert into bad_rows (n) values (null)", {}) end,
  sql_query = function(ctx) ctx:query("select n from nowhere", {}) end,
  emit_schema = function(ctx) ctx:emit("bad.strict", "k", { n = "many" }) end,
  dead = function(ctx) ctx:dead("it is wrong") end,
}

local on = { ["bad.in.schema"] = { schema = { n = spec.int }, handle = function() end } }
for name, handle in pairs(mistakes) do
  on["bad.in." .. name] = { retry = { attempts = 5, backoff = "50ms..100ms" }, handle = handle }
end

return {
  api = 1, name = "bad", doc = "misbehaves on demand",
  emits = { "bad.in.*", ["bad.strict"] = { n = spec.int } },
  state = { text = "" },
  tables = { "create table bad_rows (n bigint not null)" },
  on = on,
  routes = {
    ["POST /bad/:kind/:key"] = {
      auth = "none", body = { text = "" },
      handle = function(ctx, req)
        ctx:emit("bad.in." .. req.params.kind, req.params.key, req.body)
        return 202
      end,
    },
    ["POST /http_raise"] = { auth = "none", handle = function() error("it breaks") end },
    ["POST /http_endless_loop"] = { auth = "none", handle = forever },
  },
}
