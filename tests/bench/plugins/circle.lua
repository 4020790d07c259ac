--- Messages that go round and round: each hop changes the state of a key and sends one message. No
--- client is needed to keep a host busy, and nothing of it stops when the host is killed.
local spec = require "host.spec"

local token = spec.record {
  id = spec.int, at = spec.int, hops = 0,
  who = spec.string { max = 80 }, note = spec.string { max = 400 },
}

-- Another key each time, spread evenly, and different ways for different tokens.
local function next_key(ctx, t) return (t.at * 48271 + t.id * 7919 + t.hops) % ctx.config.keys end

return {
  api = 1, name = "circle", doc = "messages that go round for ever",
  config = { keys = 100000 },
  emits = { ["circle.go"] = token, ["circle.end"] = token },
  state = { seen = 0, last = 0, note = ("steam hides the tears "):rep(7) },
  on = {
    ["circle.go"] = {
      schema = token,
      handle = function(ctx, t)
        ctx.state.seen = ctx.state.seen + 1
        ctx.state.last = t.id
        t.at = next_key(ctx, t)
        t.hops = t.hops + 1
        ctx:emit("circle.go", "k" .. t.at, t)
      end,
    },
    ["circle.end"] = {
      schema = token,
      handle = function(ctx) ctx.state.seen = ctx.state.seen + 1 end,
    },
  },
  routes = {
    ["POST /tokens"] = {
      auth = "none", body = { count = spec.int { min = 1, max = 10000 }, ending = false },
      handle = function(ctx, req)
        local topic = req.body.ending and "circle.end" or "circle.go"
        for i = 1, req.body.count do
          local at = i * 7919 % ctx.config.keys
          ctx:emit(topic, "k" .. at, {
            id = i, at = at, who = "Hermione Granger",
            note = ("all who stay behind wave; "):rep(10),
          })
        end
        return 202
      end,
    },
  },
}
