-- Scripts see what the sandbox gives them, and nothing else (docs: what a script has).
std = {
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "xpcall", "select", "tonumber", "tostring",
    "type", "unpack", "rawequal", "rawget", "rawset", "setmetatable", "getmetatable",
    "table", "coroutine", "bit", "require", "print", "_VERSION",
    string = { fields = {
      "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
      "sub", "upper",
    } },
    math = { fields = {
      "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod",
      "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "sin",
      "sinh", "sqrt", "tan", "tanh",
    } },
  },
}
max_line_length = 100
-- Handlers share one signature; what one of them leaves unused is no mistake.
unused_args = false
cache = false
exclude_files = { "build/**", "data*/**" }
-- Chunks that try what they must not; a C++ suite runs them.
files["tests/scripts/hostile/**"] = { ignore = { ".*" } }
files["tests/scripts/pattern_differential.lua"] = { globals = { "run" } }
-- Editor stubs declare functions for the language server and have empty bodies.
files["bindings/types/**"] = { ignore = { "1..", "2..", "3.." } }
