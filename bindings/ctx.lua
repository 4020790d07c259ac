-- The functions of ctx that run script code, or that wait more than once: a C function cannot.
local M, yield, create, resume, status, mark, raise, policy, check_choice = ...
local pairs, type, next, error = pairs, type, next, error

-- What the database refused is an error of the statement, with the line that asked.
local raw_query = M.query
local function rows_of(rows, err)
  if rows then return rows end
  return raise("ctx:query: " .. err.message)
end
function M.query(ctx, ...)
  return rows_of(raw_query(ctx, ...))
end

-- An iterator over rows that are fetched page by page, as they are asked for. The first page is
-- fetched at once, so that what the database refuses is refused here.
local raw_rows = M.rows
local function page_of(rows, more)
  if rows then return rows, more end
  return raise("ctx:rows: " .. more.message)
end
function M.rows(ctx, sql, params, types)
  if type(sql) ~= "string" then raise("ctx:rows: the statement must be text") end
  local page, more = page_of(raw_rows(ctx, sql, params, types))
  local i = 0
  return function()
    i = i + 1
    while page[i] == nil do
      if not more then return nil end
      page, more = page_of(raw_rows(ctx, more, nil, types))
      i = 1
    end
    return page[i]
  end
end

function M.decide(ctx, name, input, choice)
  local decide, config, found = policy(ctx, name, choice)
  return check_choice(ctx, found, decide(ctx, input, config))
end

function M.each(ctx)
  local page, i, after = nil, 0, nil
  return function()
    i = i + 1
    while not page or not page[i] do
      if page and not after then return nil end
      local items, more = ctx:list { after = after, limit = 100 }
      if not items then raise("ctx:each: " .. more.message) end
      page, after, i = items, more, 1
    end
    return page[i].key, page[i].state
  end
end

-- Runs the functions side by side: each in a coroutine of its own. A yield to the host carries the
-- effect that is waited for, or a table of them (an inner ctx:all); the host answers any of them
-- with its id first.
local function start(waiting, results, name, co, ...)
  local function step(ok, first, effect, ...)
    if not ok then error(first, 0) end
    if status(co) == "dead" then
      results[name] = { value = first, err = effect }
      return
    end
    if first ~= mark then raise("coroutine.yield inside of ctx:all") end
    if effect == nil then return yield(mark) end -- the handler is left
    if type(effect) == "table" then
      for id in pairs(effect) do waiting[id] = { co = co, name = name, any = true } end
    else
      waiting[effect] = { co = co, name = name }
    end
  end
  return step(resume(co, ...))
end

function M.all(ctx, functions)
  if type(functions) ~= "table" then raise("ctx:all takes a table of functions") end
  local waiting, results = {}, {}
  for name, f in pairs(functions) do
    if type(f) ~= "function" then raise("ctx:all takes a table of functions") end
    start(waiting, results, name, create(f))
  end
  local function answered(id, ...)
    local job = waiting[id]
    if not job then return end
    waiting[id] = nil
    if job.any then
      -- What the inner one still waits for is told anew by its next yield.
      for other, w in pairs(waiting) do
        if w.co == job.co then waiting[other] = nil end
      end
      return start(waiting, results, job.name, job.co, id, ...)
    end
    return start(waiting, results, job.name, job.co, ...)
  end
  while next(waiting) do answered(yield(mark, waiting)) end
  return results
end
