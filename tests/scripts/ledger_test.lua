--- host test --root . tests/scripts/ledger_test.lua
local function transfer(via, id)
  return { id = id or "t-" .. via, from = "a", to = "b", amount = 5, via = via }
end

local function booked(t)
  return { t:state("a").balance, t:state("b").balance }
end

return {
  plugins = { "tests/chaos/plugins/ledger.lua" },

  ["every way books on both sides"] = function(t)
    for i, via in ipairs { "plain", "timer", "retry", "inbox", "sql" } do
      t:same(202, t:request("POST /transfers", { body = transfer(via) }).status)
      t:advance("10s")
      t:same({ -5 * i, 5 * i }, booked(t))
    end
  end,
  ["who asks is answered by the payer"] = function(t)
    local done = t:request("POST /transfers", { body = transfer "ask" })
    t:same(201, done.status)
    t:same(-5, done.body.balance)
  end,
  ["a batch is booked whole"] = function(t)
    local batch = { transfer("door", "t1"), transfer("door", "t2") }
    t:same(202, t:request("POST /transfers/batch", { body = batch }).status)
    t:run()
    t:same({ -10, 10 }, booked(t))
  end,
  ["the table has what the state has"] = function(t)
    t:request("POST /transfers", { body = transfer "sql" })
    t:run()
    local totals = t:request("GET /totals").body.data
    t:same({ { account = "a", balance = -5 }, { account = "b", balance = 5 } }, totals)
  end,
}
