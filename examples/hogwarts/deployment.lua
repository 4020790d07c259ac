-- host run examples/hogwarts/deployment.lua
-- Eight services in one process, on one SQLite file below ./data: no broker, no database server.
return {
  listen = "127.0.0.1:3008",
  plugins = {
    ["plugins/master.lua"] = {},
    ["plugins/library.lua"] = {},
    ["plugins/gryffindor.lua"] = {},
    ["plugins/hagrid.lua"] = {},
    ["plugins/herbology.lua"] = {},
    ["plugins/muggle.lua"] = {},
    ["plugins/platform.lua"] = {},
    ["plugins/quidditch.lua"] = {},
  },
}
