local place = require "scenarios.hogwarts.place"

return place {
  plugin = "herbology", place = "herbologyGreenHouse",
  doc = "the Herbology greenhouse: short stays, for the plants bite",
  prompt = "A steaming greenhouse where the plants are livelier than the pupils.",
  stay = 0.75,
  phrases = {
    "A mandrake hiccups; {who} faints politely and leaves.",
    "{who} waters the wrong plant, which waters back.",
    "The Venomous Tentacula taps {who} on the shoulder.",
    "{who} puts the earmuffs on one moment too late.",
    "Something with leaves has taken the hat of {who}.",
  },
}
