#pragma once

struct lua_State;

namespace host::bindings {

class TestDriver;

/// Pushes the `t` of a test, which drives `driver`; that outlives the state. May raise.
void push_test(lua_State* L, TestDriver& driver);

}  // namespace host::bindings
