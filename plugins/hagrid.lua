local place = require "scenarios.hogwarts.place"

return place {
  plugin = "hagrid", place = "hagridsHut",
  doc = "Hagrid's hut: tea takes its time",
  prompt = "A one-roomed hut with a huge dog, rock cakes, and something alive under the table.",
  stay = 1.5,
  phrases = {
    "{who} breaks a tooth on a rock cake and praises it.",
    "Fang falls asleep on the feet of {who}.",
    "\"I should not have told you that,\" says the kettle to {who}.",
    "Whatever hatched last night waves {who} goodbye.",
    "{who} carries a pumpkin home and regrets the size.",
  },
}
