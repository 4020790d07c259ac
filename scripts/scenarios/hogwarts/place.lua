--- A place takes travellers in, lets its policy tell a scene, and sends the leavers on by owl.
--- One entity is this place in one universe; its key is the universe's id.
---
--- Nobody is lost: a name leaves `present` in the same commit that sends the owl, and joins the
--- next `present` in the commit that takes the owl in.
---
--- Nothing hangs: a chain is always in one spot, as a visit on its way, as a `scene` timer that
--- waits here, or in `held` while the universe is paused. Visits and control messages come through
--- two topics, so either may be first; each handler below is right in both cases.
local list = require "host.list"
local spec = require "host.spec"
local world = require "scenarios.hogwarts.world"

local kRemembered = 5 -- scenes that the policy is told about

local function tell(ctx, character, post)
  local s = ctx.state
  s.clock = s.clock + 1
  post.place, post.clock = character.place, s.clock
  ctx:emit("owl-post", ctx.key, post)
end

local function rest(ctx, character, visit, why)
  -- A chain of n hops arrived n + 1 times and told n scenes. The master waits for all of them.
  local posts = 2 * visit.hop + 1
  tell(ctx, character, { type = "Rested", chain = visit.chain, posts = posts, why = why })
end

local function arrive(ctx, character, visit)
  local s = ctx.state
  s.clock = math.max(s.clock, visit.clock)
  list.add(s.present, visit.incomingCharacters)
  tell(ctx, character,
    { type = "Arrived", chain = visit.chain, characters = visit.incomingCharacters })

  if s.mode == "stopped" then return end -- they have arrived, and stay
  if visit.hop >= visit.rules.hops then return rest(ctx, character, visit, "out of hops") end
  ctx:after(visit.rules.pace * ctx.config.stay, "scene", visit)
end

local function decide(ctx, character, visit)
  local s = ctx.state
  ctx:seed(visit.rules.seed, character.place, s.clock)
  local scene = {
    place = character.place,
    prompt = character.prompt,
    phrases = character.phrases,
    present = s.present,
    arrivals = visit.incomingCharacters,
    from = visit.from,
    exits = list.without(world.order, { character.place, visit.from }),
    scenes = s.scenes,
  }
  local opening = character.open and character.open(ctx, scene)
  local told = ctx:decide("next_place", scene)
  local summary = opening and opening .. " " .. told.summary or told.summary
  told.summary = world.words(summary, 20)
  return told, scene.exits
end

local function scene(ctx, character, visit)
  local s = ctx.state
  if s.mode == "paused" then
    list.push(s.held, visit)
    return
  end
  if #s.present == 0 then return rest(ctx, character, visit, "nobody is here to leave") end

  local told, exits = decide(ctx, character, visit)
  local leavers = list.both(s.present, told.characters)
  local ignored = #told.characters - #leavers
  if ignored > 0 then ctx:count("strangers", ignored) end
  if #leavers == 0 then return rest(ctx, character, visit, "nobody wants to leave") end
  if not list.has(exits, told.destination) then
    return rest(ctx, character, visit, "no way leads there")
  end

  s.present = list.without(s.present, leavers)
  list.push(s.scenes, told.summary, kRemembered)
  tell(ctx, character, {
    type = "Scene", chain = visit.chain, characters = leavers, summary = told.summary,
    destination = told.destination, by = told.by, ignored = ignored,
  })
  ctx:emit(world.topic[told.destination], ctx.key, {
    type = "React", incomingCharacters = leavers, reactionByEffector = told.summary,
    ActionEntailed = "travel to " .. told.destination, chain = visit.chain,
    from = character.place, hop = visit.hop + 1, clock = s.clock, rules = visit.rules,
  })
end

local control = {}

function control.Pause(ctx)
  if ctx.state.mode == "running" then ctx.state.mode = "paused" end
end

function control.Resume(ctx)
  local s = ctx.state
  if s.mode ~= "paused" then return end
  for _, visit in ipairs(s.held) do ctx:after(0, "scene", visit) end
  s.mode, s.held = "running", {}
end

function control.Stop(ctx)
  ctx.state.mode, ctx.state.held = "stopped", {}
  ctx:cancel("scene")
end

function control.Reset(ctx) ctx:forget("30d") end -- late owls are dropped and counted so long

--- The cases that must pass before the code of a place goes live.
local function smoke_of(character)
  local topic = world.topic[character.place]
  local function visit(hops)
    return {
      type = "Initiate", incomingCharacters = { "Harry", "Ron" }, chain = character.place,
      rules = { seed = 7, pace = "1s", hops = hops },
    }
  end
  return {
    ["arrivals are taken in and told"] = function(t)
      local taken = t:send(topic, "u1", visit(10))
      t:same({ "Harry", "Ron" }, taken.state.present)
      t:same("Arrived", t:sent("owl-post")[1].payload.type)
    end,
    ["a chain without hops rests at once"] = function(t)
      t:send(topic, "u1", visit(0))
      t:same("Rested", t:sent("owl-post")[2].payload.type)
    end,
    ["leavers are sent on, and leave"] = function(t)
      t:send(topic, "u1", visit(1))
      t:advance("10m")
      local told = t:sent("owl-post")[2].payload
      t:same("Scene", told.type)
      t:same(2 - #told.characters, #t:state("u1").present)
      local owl = t:sent(world.topic[told.destination])[1].payload
      t:same(told.characters, owl.incomingCharacters)
    end,
    ["a paused place keeps its visits until it is resumed"] = function(t)
      t:send(topic, "u1", visit(1))
      t:send("hogwarts.control", "u1", { type = "Pause" })
      t:advance("10m")
      t:same(1, #t:state("u1").held)
      t:same(1, #t:sent("owl-post"))
      t:send("hogwarts.control", "u1", { type = "Resume" })
      t:advance("1s")
      t:same("Scene", t:sent("owl-post")[2].payload.type)
    end,
  }
end

--- Makes the plugin of a place.
--- @param character table `plugin`, `place`, `doc`, `prompt`, `phrases`, `stay` (paces that a stay
---   lasts), `state` (fields of its own), `open(ctx, scene)` (may change the exits; returns the
---   first words of the scene, or nil)
--- @return table plugin
return function(character)
  local state = {
    mode = spec.one_of { "running", "paused", "stopped", default = "running" },
    clock = 0,
    present = spec.list(spec.string),
    held = spec.list(world.visit, { doc = "visits that go on when the universe is resumed" }),
    scenes = spec.list(spec.string, { doc = "the last few, oldest first" }),
  }
  for name, schema in pairs(character.state or {}) do state[name] = schema end

  return {
    api = 1, name = character.plugin, doc = character.doc,
    emits = world.with_visits { ["owl-post"] = world.post },
    config = {
      stay = spec.number {
        default = character.stay, min = 0, max = 100, doc = "how many paces a stay lasts",
      },
    },
    state = state,
    on = {
      [world.topic[character.place]] = {
        schema = world.visit,
        handle = function(ctx, visit) arrive(ctx, character, visit) end,
      },
      ["hogwarts.control"] = { schema = world.control, handle = control },
    },
    timers = {
      scene = {
        schema = world.visit,
        handle = function(ctx, visit) scene(ctx, character, visit) end,
      },
    },
    routes = {
      ["GET /places/" .. character.place .. "/universes/:id"] = {
        auth = "none", doc = "who is here, from the place's own state", params = world.in_path,
        handle = function(ctx, req)
          local s, err = ctx:read(req.params.id)
          if not s then return nil, err end
          return 200, {
            place = character.place, universe = req.params.id, mode = s.mode, clock = s.clock,
            present = s.present, scenes = s.scenes,
          }
        end,
      },
    },
    policies = { next_place = { "policies.hogwarts.dice", returns = world.choice } },
    metrics = { strangers = { "counter", "names in decisions that were not present" } },
    smoke = smoke_of(character),
  }
end
