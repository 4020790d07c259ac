--- The control service: starts universes, steers them, follows the owls, answers who is where.
--- One entity is a universe. Both of its topics are keyed by it, so this plugin alone writes what
--- the world sees of a universe, one message after the other.
local list = require "host.list"
local spec = require "host.spec"
local world = require "scenarios.hogwarts.world"

local kSlice = 500 -- rows that one message deletes

local order = spec.tagged("type", {
  Start = { rules = world.rules },
  Pause = {},
  Resume = {},
  Stop = {},
  Reset = { before = spec.time },
  Walk = { before = spec.time, after = spec.string { optional = true } },
})

-- Orders ------------------------------------------------------------------------------------------

local orders = {}

function orders.Start(ctx, msg)
  local s = ctx.state
  local deck = ctx:seed(msg.rules.seed):shuffle(list.slice(world.characters, 1, 42))
  s.rules, s.mode, s.started = msg.rules, "running", ctx:now()
  for i, place in ipairs(world.order) do
    local six = list.slice(deck, i * 6 - 5, i * 6)
    for _, name in ipairs(six) do
      s.characters[name] = { place = place, in_flight = true, clock = 0 }
    end
    s.chains[place] = { told = 0 }
    ctx:emit(world.topic[place], ctx.key,
      { type = "Initiate", incomingCharacters = six, chain = place, rules = msg.rules })
  end
  ctx:reply { id = ctx.key, status = "running" }
end

-- Whoever asks sees one of these; a universe that was stopped or rests moves no more.
local function status_of(s)
  if s.mode == "stopped" then return "stopped" end
  if s.rested == #world.order then return "resting" end
  return s.mode
end

local becomes = { Pause = "paused", Resume = "running", Stop = "stopped" }

local function steer(ctx, msg)
  local s = ctx.state
  if not ctx.exists or s.cleared then return ctx:reply { refused = "there is no such universe" } end
  local status, wanted = status_of(s), becomes[msg.type]
  if status == "stopped" and wanted ~= "stopped" then
    return ctx:reply { refused = "it was stopped, for good" }
  end
  if status == "resting" and wanted ~= "stopped" then
    return ctx:reply { refused = "it rests: nothing moves any more" }
  end
  if s.mode ~= wanted then
    s.mode = wanted
    ctx:emit("hogwarts.control", ctx.key, { type = msg.type })
  end
  ctx:reply { id = ctx.key, status = status_of(s) }
end
orders.Pause, orders.Resume, orders.Stop = steer, steer, steer

-- The walk through all universes, a page a message, so that there may be any number of them.
function orders.Walk(ctx, msg)
  local page, more = ctx:list { after = msg.after, limit = 100 }
  if not page then error(more.message) end
  for _, universe in ipairs(page) do
    ctx:emit("hogwarts.orders", universe.key, { type = "Reset", before = msg.before })
  end
  if more then
    ctx:emit("hogwarts.orders", ctx.key, { type = "Walk", before = msg.before, after = more })
  end
end

-- What started after the request is not meant.
function orders.Reset(ctx, msg)
  local s = ctx.state
  if not ctx.exists or s.cleared or s.started > msg.before then return end
  s.cleared = true
  ctx:emit("hogwarts.control", ctx.key, { type = "Reset" })
  ctx:after(0, "sweep")
end

local function delete_slice(ctx, tail, rows)
  local last = rows[1] and rows[1].clock
  local upto = last and " and clock <= :last" or ""
  ctx:exec("delete from " .. tail .. " where universe = :universe" .. upto,
    { universe = ctx.key, last = last })
  return last == nil
end

-- A long life leaves many rows; they go slice by slice, and the universe with the last one.
local function sweep(ctx)
  local at = { universe = ctx.key, skip = kSlice }
  local scenes = ctx:query([[select clock from master_scenes where universe = :universe
    order by clock limit 1 offset :skip]], at)
  local moves = ctx:query([[select clock from master_moves where universe = :universe
    order by clock limit 1 offset :skip]], at)
  local no_scenes = delete_slice(ctx, "master_scenes", scenes)
  local no_moves = delete_slice(ctx, "master_moves", moves)
  if no_scenes and no_moves then return ctx:forget("30d") end -- late owls are dropped and counted
  ctx:after(0, "sweep")
end

-- Owls --------------------------------------------------------------------------------------------

local function place_of(s, post, place, in_flight)
  for _, name in ipairs(post.characters) do
    if post.clock > s.characters[name].clock then
      s.characters[name] = { place = place, in_flight = in_flight, clock = post.clock }
    end
  end
end

-- Owls of one chain come from several places, in any order: it has ended when all of them are in.
local function count(s, post)
  local chain = s.chains[post.chain]
  if post.type == "Rested" then
    chain.posts = post.posts
  else
    chain.told = chain.told + 1
  end
  if chain.told == chain.posts then s.rested = s.rested + 1 end
end

local owls = {}

function owls.Arrived(ctx, post)
  place_of(ctx.state, post, post.place, false)
  for _, name in ipairs(post.characters) do
    ctx:exec([[insert into master_moves (universe, clock, name, place, at)
      values (:universe, :clock, :name, :place, :at)]],
      { universe = ctx.key, clock = post.clock, name = name, place = post.place, at = ctx:now() })
  end
end

function owls.Scene(ctx, post)
  local s = ctx.state
  place_of(s, post, post.destination, true)
  s.decisions[post.by] = s.decisions[post.by] + 1
  s.decisions.ignored_names = s.decisions.ignored_names + post.ignored
  local who = table.concat(post.characters, ", ")
  ctx:exec([[insert into master_scenes (universe, clock, place, summary, who, destination, at)
    values (:universe, :clock, :place, :summary, :who, :destination, :at)]], {
    universe = ctx.key, clock = post.clock, place = post.place, summary = post.summary,
    who = who, destination = post.destination, at = ctx:now(),
  })
  ctx.log.info("owl post", {
    From = post.place, Characters = who, Scene = post.summary, Sent_To = post.destination,
  })
end

function owls.Rested() end

local function follow(ctx, post)
  if not ctx.exists or ctx.state.cleared then return end
  owls[post.type](ctx, post)
  count(ctx.state, post)
end

-- Routes ------------------------------------------------------------------------------------------

local kNone = "there is no such universe"

local function find(ctx, id)
  local s, err = ctx:read(id)
  if s and s.cleared then return nil, 404, kNone end
  if s then return s end
  if err.code == "not_found" then return nil, 404, kNone end
  return nil, nil, err
end

local function start(ctx, req)
  local made, err = ctx:ask("hogwarts.orders", ctx:uuid(),
    { type = "Start", rules = req.body or {} }, "5s")
  if not made then return nil, err end
  return 201, made, { location = "/universes/" .. made.id }
end

local function steering(type)
  return {
    auth = "admin", params = world.in_path,
    handle = function(ctx, req)
      local s, status, why = find(ctx, req.params.id)
      if not s then return status, why end
      local done, err = ctx:ask("hogwarts.orders", req.params.id, { type = type }, "5s")
      if not done then return nil, err end
      if done.refused then return 409, done.refused end
      return 200, done
    end,
  }
end

local function show(ctx, req)
  local s, status, why = find(ctx, req.params.id)
  if not s then return status, why end
  return 200, {
    id = req.params.id, status = status_of(s), started = s.started, rules = s.rules,
    decisions = s.decisions, characters = s.characters,
  }
end

local function states(ctx, req)
  local page, more = ctx:list { after = req.query.after, limit = req.query.limit }
  if not page then return nil, more end
  local data = list.of {}
  for _, universe in ipairs(page) do
    local s = universe.state
    if not s.cleared then
      list.push(data,
        { id = universe.key, status = status_of(s), started = s.started, rules = s.rules })
    end
  end
  return 200, { data = data, next = more }
end

local function chronicle(ctx, req)
  local s, status, why = find(ctx, req.params.id)
  if not s then return status, why end
  local clock, place = 2 ^ 52, ""
  if req.query.before then
    clock, place = req.query.before:match("^(%d+)%-(%w+)$")
  end

  local scenes = ctx:query([[select clock, place, summary, who, destination, at
    from master_scenes
    where universe = :id and (clock < :clock or (clock = :clock and place > :place))
    order by clock desc, place limit :limit]], {
    id = req.params.id, clock = tonumber(clock), place = place, limit = req.query.limit,
  }, { at = spec.time })
  for _, scene in ipairs(scenes) do
    scene.characters = list.of {}
    for name in scene.who:gmatch("%a+") do list.push(scene.characters, name) end
    scene.who = nil
  end
  local last = scenes[req.query.limit]
  return 200, { data = scenes, next = last and ("%d-%s"):format(last.clock, last.place) }
end

local function journey(ctx, req)
  local s, status, why = find(ctx, req.params.id)
  if not s then return status, why end
  local name, limit = req.params.name, req.query.limit
  local moves = ctx:query([[select clock, place, at from master_moves
    where universe = :id and name = :name and clock > :after order by clock limit :limit]],
    { id = req.params.id, name = name, after = req.query.after, limit = limit },
    { at = spec.time })
  local last = moves[limit]
  return 200,
    { name = name, now = s.characters[name], journey = moves, next = last and last.clock }
end

local function reset(ctx)
  ctx:emit("hogwarts.orders", "reset", { type = "Walk", before = ctx:now() })
  return 202
end

-- The plugin --------------------------------------------------------------------------------------

local where = spec.record { place = spec.string, in_flight = spec.bool, clock = spec.int }

return {
  api = 1, name = "master", doc = "starts, steers and shows the universes",
  emits = world.with_visits { ["hogwarts.control"] = world.control, ["hogwarts.orders"] = order },
  state = {
    rules = world.rules,
    mode = spec.one_of { "running", "paused", "stopped", default = "running" },
    started = spec.time { optional = true },
    characters = spec.map(where),
    chains = spec.map(spec.record { told = spec.int, posts = spec.int { optional = true } }),
    rested = 0,
    decisions = { storyteller = 0, repaired = 0, dice = 0, ignored_names = 0 },
    cleared = false,
  },
  tables = {
    [[create table master_scenes (universe text, clock bigint, place text, summary text, who text,
      destination text, at text, primary key (universe, clock, place))]],
    [[create table master_moves (universe text, clock bigint, name text, place text, at text,
      primary key (universe, clock, name))]],
    [[create index master_moves_by_name on master_moves (universe, name, clock)]],
  },
  on = {
    ["hogwarts.orders"] = { schema = order, handle = orders },
    ["owl-post"] = { schema = world.post, handle = follow },
  },
  timers = { sweep = sweep },
  routes = {
    ["POST /universes"] = {
      auth = "admin", body = world.rules { optional = true }, handle = start,
    },
    ["GET /initiate"] = { auth = "admin", handle = start },
    ["GET /initate"] = { auth = "admin", doc = "spelt as it always was", handle = start },
    ["GET /states"] = {
      auth = "none",
      query = { after = spec.string { optional = true }, limit = spec.limit(20, 100) },
      handle = states,
    },
    ["GET /universes/:id"] = { auth = "none", params = world.in_path, handle = show },
    ["GET /universes/:id/chronicle"] = {
      auth = "none", doc = "scenes, newest first", params = world.in_path,
      query = {
        before = spec.string {
          optional = true, max = 40, pattern = "^%d+%-%w+$", doc = "`next` of the page before",
        },
        limit = spec.limit(20, 100),
      },
      handle = chronicle,
    },
    ["GET /universes/:id/characters/:name"] = {
      auth = "none", doc = "the journey of one character",
      params = { id = world.in_path.id, name = spec.one_of(world.characters) },
      query = { after = spec.int { default = -1 }, limit = spec.limit(100, 1000) },
      handle = journey,
    },
    ["GET /universes/:id/post"] = {
      auth = "none", doc = "owl post as it flies", params = world.in_path,
      stream = { topic = "owl-post", key = "id" },
    },
    ["POST /universes/:id/pause"] = steering "Pause",
    ["POST /universes/:id/resume"] = steering "Resume",
    ["POST /universes/:id/stop"] = steering "Stop",
    ["DELETE /reset"] = { auth = "admin", doc = "clears all universes", handle = reset },
  },
  smoke = {
    ["42 characters set out, six to a place"] = function(t)
      local made = t:send("hogwarts.orders", "u1", { type = "Start", rules = { seed = 3 } })
      t:same(7, #made.sent)
      for _, visit in ipairs(made.sent) do t:same(6, #visit.payload.incomingCharacters) end
      t:same("running", made.reply.status)
    end,
    ["an owl that was overtaken changes nothing"] = function(t)
      t:send("hogwarts.orders", "u1", { type = "Start", rules = {} })
      local post = {
        type = "Arrived", place = "hagridsHut", chain = "hagridsHut", clock = 9,
        characters = { "Luna" },
      }
      t:send("owl-post", "u1", post)
      post.place, post.clock = "muggleWorld", 4
      local luna = t:send("owl-post", "u1", post).state.characters.Luna
      t:same({ place = "hagridsHut", in_flight = false, clock = 9 }, luna)
    end,
  },
}
