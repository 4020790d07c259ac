-- luacheck: std luajit
-- Finds globals that a chunk reads or writes and that scripts do not have, in its bytecode.
-- Runs in a state of the host with all of Lua's libraries, never beside a script.
local chunk, known = ...
local util = require "jit.util"
local band, rshift = bit.band, bit.rshift

-- Opcode numbers differ between builds of LuaJIT: they are read from code that has them.
local function opcode_at(source, pc) return band(util.funcbc(loadstring(source), pc), 0xff) end
local kRead, kWrite = opcode_at("local a = probe", 1), opcode_at("probe = 1", 2)

local found = {}

local function scan(proto)
  local pc = 1
  while true do
    local instruction = util.funcbc(proto, pc)
    if not instruction then break end
    local op = band(instruction, 0xff)
    if op == kRead or op == kWrite then
      local name = util.funck(proto, -rshift(instruction, 16) - 1)
      if op == kWrite or not known[name] then
        found[#found + 1] = {
          name = name, line = util.funcinfo(proto, pc).currentline, write = op == kWrite,
        }
      end
    end
    pc = pc + 1
  end
  for n = -1, -math.huge, -1 do
    local constant = util.funck(proto, n)
    if constant == nil then break end
    if type(constant) == "proto" then scan(constant) end
  end
end

scan(chunk)
return found
