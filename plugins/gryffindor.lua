local place = require "scenarios.hogwarts.place"

return place {
  plugin = "gryffindor", place = "gryffindorTower",
  doc = "Gryffindor Tower: a warm common room that is left in a hurry",
  prompt = "A round red room with a fire, an easily offended portrait and too many plans.",
  stay = 1,
  phrases = {
    "{who} dares somebody, and is dared back.",
    "The Fat Lady sings; {who} flees.",
    "A plan is made by the fire. {who} was not listening.",
    "{who} forgets the password on the way out.",
    "Somebody set the carpet alight, says {who}, already running.",
  },
}
