--- Moves amounts between accounts, on every way that a message can take through the host. A
--- transfer is a message to the payer, who subtracts and sends one to the payee, who adds: what is
--- gone, doubled or out of order shows in the accounts.
local list = require "host.list"
local spec = require "host.spec"

local transfer = spec.record {
  id = spec.string { min = 1, max = 40 },
  from = spec.string { min = 1, max = 40 },
  to = spec.string { min = 1, max = 40 },
  amount = spec.int { min = 1 },
  via = spec.one_of {
    "plain", -- one message, straight to the log
    "timer", -- booked by a durable timer of the payer
    "retry", -- the first attempt of the payer and of the payee raises
    "door", -- several transfers in one request: all or none
    "inbox", -- the record's key is another one: passed on through ledger.inbox
    "sql", -- booked in a table too, beside the state
    "ask", -- answered by the payer
    default = "plain",
  },
}

local function fail_once(ctx, t)
  if t.via == "retry" and ctx.attempt == 1 then error("the first attempt fails on purpose") end
end

-- The table must agree with the state before and after; a difference ends in the dead letters.
local function book_in_table(ctx, t, amount)
  if t.via ~= "sql" then return end
  local s = ctx.state
  local rows = ctx:query("select balance from ledger_totals where account = :account",
    { account = ctx.key })
  local booked = rows[1] and rows[1].balance or 0
  if booked ~= s.tabled then
    ctx:dead(("the table says %d, the state %d"):format(booked, s.tabled))
  end
  s.tabled = s.tabled + amount
  ctx:exec([[insert into ledger_totals (account, balance) values (:account, :amount)
    on conflict (account) do update set balance = ledger_totals.balance + :amount]],
    { account = ctx.key, amount = amount })
end

local function debit(ctx, t)
  fail_once(ctx, t)
  book_in_table(ctx, t, -t.amount)
  ctx.state.balance = ctx.state.balance - t.amount
  list.push(ctx.state.paid, t.id)
  ctx:emit("ledger.credits", t.to, t)
  ctx:reply { balance = ctx.state.balance }
end

local function pay(ctx, t)
  if t.via == "timer" then
    ctx:after("100ms", "pay_later", t)
  else
    debit(ctx, t)
  end
end

local function credit(ctx, t)
  fail_once(ctx, t)
  book_in_table(ctx, t, t.amount)
  ctx.state.balance = ctx.state.balance + t.amount
  list.push(ctx.state.received, t.id)
end

local function accept(ctx, req)
  local t = req.body
  if t.via == "ask" then
    local done, err = ctx:ask("ledger.transfers", t.from, t, "10s")
    if not done then return nil, err end
    return 201, done
  end
  if t.via == "inbox" then
    ctx:emit("ledger.desk", "desk of " .. t.from, t)
  else
    ctx:emit("ledger.transfers", t.from, t)
  end
  return 202, { id = t.id }
end

local function accept_all(ctx, req)
  for _, t in ipairs(req.body) do ctx:emit("ledger.transfers", t.from, t) end
  return 202, { count = #req.body }
end

local persistent = { attempts = 20, backoff = "20ms..100ms" }

return {
  api = 1, name = "ledger", doc = "moves amounts between accounts",
  emits = {
    ["ledger.transfers"] = transfer, ["ledger.desk"] = transfer, ["ledger.credits"] = transfer,
  },
  state = {
    balance = 0,
    tabled = 0, -- the part of the balance that ledger_totals has as well
    paid = spec.list(spec.string),
    received = spec.list(spec.string),
  },
  tables = {
    "create table ledger_totals (account text primary key, balance bigint)",
  },
  on = {
    ["ledger.transfers"] = { schema = transfer, handle = pay, retry = persistent },
    ["ledger.desk"] = { schema = transfer, key = "from", handle = pay, retry = persistent },
    ["ledger.credits"] = { schema = transfer, handle = credit, retry = persistent },
  },
  timers = { pay_later = { schema = transfer, handle = debit } },
  routes = {
    ["POST /transfers"] = { auth = "none", body = transfer, handle = accept },
    ["POST /transfers/batch"] = {
      auth = "none", body = spec.list(transfer, { min = 2, max = 20 }), handle = accept_all,
    },
    ["GET /accounts"] = {
      auth = "none",
      query = { after = spec.string { optional = true }, limit = spec.limit(100, 500) },
      handle = function(ctx, req)
        local page, more = ctx:list { after = req.query.after, limit = req.query.limit }
        return 200, { data = page, next = more }
      end,
    },
    ["GET /accounts/:id"] = { auth = "none", handle = function(ctx, req)
      local account, err = ctx:read(req.params.id)
      if not account then return nil, err end
      return 200, account
    end },
    ["GET /totals"] = {
      auth = "none", query = { after = spec.string { default = "" } },
      handle = function(ctx, req)
        return 200, { data = ctx:query([[select account, balance from ledger_totals
          where account > :after order by account limit 500]], { after = req.query.after }) }
      end,
    },
  },
  smoke = {
    ["a transfer is booked on both sides"] = function(t)
      t:send("ledger.transfers", "a", { id = "t1", from = "a", to = "b", amount = 5 })
      t:run()
      t:same(-5, t:state("a").balance)
      t:same(5, t:state("b").balance)
    end,
  },
}
