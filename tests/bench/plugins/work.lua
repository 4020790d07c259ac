--- The work of the message benches: 350 bytes in, 190 bytes of state, 350 bytes out.
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
  api = 1, name = "work", doc = "keeps a state for each key and sends one message on",
  emits = { ["work.out"] = letter },
  state = {
    count = 0, total = 0, last = "", place = "",
    -- As long as the stored states are, so that all of them have their 190 bytes.
    note = ("steam hides the tears of all who stay behind; "):rep(3):sub(1, 110),
  },
  on = {
    ["work.in"] = {
      schema = letter,
      handle = function(ctx, msg)
        local s = ctx.state
        s.count = s.count + 1
        s.total = s.total + msg.amount
        s.last = msg.id
        s.place = msg.place
        msg.amount = s.count
        ctx:emit("work.out", ctx.key, msg)
      end,
    },
  },
}
