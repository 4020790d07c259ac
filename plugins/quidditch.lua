--- Whenever somebody leaves, a match has just ended; the season's points stay with the pitch.
local place = require "scenarios.hogwarts.place"
local spec = require "host.spec"

local houses = { "Gryffindor", "Hufflepuff", "Ravenclaw", "Slytherin" }

local function play(ctx)
  local home = ctx:random(#houses)
  local away = (home + ctx:random(#houses - 1) - 1) % #houses + 1
  local goals = { ctx:random(0, 15) * 10, ctx:random(0, 15) * 10 }
  local catcher = ctx:random(2)
  goals[catcher] = goals[catcher] + 150 -- the Snitch ends the match

  local s = ctx.state
  s.matches = s.matches + 1
  for side, house in ipairs { houses[home], houses[away] } do
    s.points[house] = (s.points[house] or 0) + goals[side]
  end
  return ("%s %d, %s %d."):format(houses[home], goals[1], houses[away], goals[2])
end

return place {
  plugin = "quidditch", place = "quidditchPitch",
  doc = "the Quidditch pitch: a stay is a match, and matches last",
  prompt = "A windy pitch with three hoops at each end, and a commentator who takes sides.",
  stay = 3,
  state = { matches = 0, points = spec.map(spec.int) },
  open = play,
  phrases = {
    "{who} limps off and calls it tactics.",
    "A Bludger escorts {who} from the pitch.",
    "{who} argues with Madam Hooch, and loses.",
    "The crowd carries {who} away.",
    "{who} is still looking for the Snitch.",
  },
}
