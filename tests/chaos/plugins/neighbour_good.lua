-- A plugin that is always busy: tokens that send themselves on, each counted in its own state.
local spec = require "host.spec"

return {
  api = 1, name = "good", doc = "tokens that go round for ever",
  emits = { ["good.rounds"] = { n = spec.int } },
  state = { handled = 0 },
  on = {
    ["good.rounds"] = {
      schema = { n = spec.int },
      handle = function(ctx, msg)
        ctx.state.handled = ctx.state.handled + 1
        ctx:emit("good.rounds", ctx.key, { n = msg.n + 1 })
      end,
    },
  },
  routes = {
    ["POST /tokens"] = {
      auth = "none", body = { count = spec.int { min = 1, max = 1000 } },
      handle = function(ctx, req)
        for i = 1, req.body.count do ctx:emit("good.rounds", "token-" .. i, { n = 0 }) end
        return 202
      end,
    },
    ["GET /handled"] = {
      auth = "none",
      handle = function(ctx)
        local handled = 0
        for _, state in ctx:each() do handled = handled + state.handled end
        return 200, { handled = handled }
      end,
    },
  },
}
