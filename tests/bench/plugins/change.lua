--- Messages pass: two of their fields are changed, nothing is kept.
local spec = require "host.spec"

local letter = spec.record {
  id = spec.string,
  kind = spec.one_of { "letter", "parcel" },
  place = spec.string { max = 40 },
  who = spec.string { max = 80 },
  amount = spec.int { min = 0 },
  price = spec.number,
  urgent = spec.bool,
  items = spec.list(spec.string, { max = 20 }),
  wand = { core = spec.string, inches = spec.number, wood = spec.string },
  note = spec.string { max = 400 },
}

return {
  api = 1, name = "change", doc = "changes two fields of every message and sends it on",
  emits = { ["change.out"] = letter },
  on = {
    ["work.in"] = {
      schema = letter,
      handle = function(ctx, msg)
        msg.amount = msg.amount + 1
        msg.urgent = not msg.urgent
        ctx:emit("change.out", ctx.key, msg)
      end,
    },
  },
}
