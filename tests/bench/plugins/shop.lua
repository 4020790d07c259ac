--- HTTP work: an order is decoded, added up and answered; a letter is sent on.
local spec = require "host.spec"

local order = spec.record {
  id = spec.string { max = 40 },
  who = spec.string { max = 80 },
  items = spec.list({ name = spec.string, count = spec.int { min = 1 } }, { max = 100 }),
  paid = spec.bool,
}

return {
  api = 1, name = "shop", doc = "answers orders and sends letters",
  emits = { ["shop.letters"] = order },
  routes = {
    ["POST /orders"] = {
      auth = "none", body = order,
      handle = function(_, req)
        local o, count = req.body, 0
        for i = 1, #o.items do count = count + o.items[i].count end
        return 200, { id = o.id, who = o.who, count = count, paid = o.paid }
      end,
    },
    ["POST /letters/:to"] = {
      auth = "none", body = order,
      handle = function(ctx, req)
        ctx:emit("shop.letters", req.params.to, req.body)
        return 202
      end,
    },
  },
}
