--- Two places: what arrives at the first is sent on to the second.
local spec = require "host.spec"

local owl = spec.record { id = spec.string, hops = 0, note = spec.string { max = 400 } }

local function arrive(ctx, msg)
  ctx.state.seen = ctx.state.seen + 1
  ctx.state.last = msg.id
  return msg
end

return {
  api = 1, name = "hop", doc = "hands every message on once",
  emits = { ["hop.second"] = owl },
  state = { seen = 0, last = "" },
  on = {
    ["hop.first"] = {
      schema = owl,
      handle = function(ctx, msg)
        arrive(ctx, msg).hops = msg.hops + 1
        ctx:emit("hop.second", msg.id, msg)
      end,
    },
    ["hop.second"] = { schema = owl, handle = function(ctx, msg) arrive(ctx, msg) end },
  },
}
