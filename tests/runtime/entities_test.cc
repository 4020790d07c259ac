#include "host/runtime/entities.h"

#include <catch2/catch.hpp>

namespace host::runtime {
namespace {

ports::StateRow row(std::string bytes) { return {.bytes = std::move(bytes), .version = 1}; }

struct World {
  Entities entities;

  explicit World(std::size_t clean_bytes) : entities(clean_bytes) {}

  Entity& of(const std::string& name) { return entities.with_box(name); }
  /// What is known of the key's state; "" where the store must be asked.
  std::string state(const std::string& name) {
    const Entity* entity = entities.find(name);
    return entity != nullptr && entity->state ? entity->state->bytes.value_or("forgotten") : "";
  }
  /// Read by a message that is gone again.
  void read(const std::string& name, const std::string& bytes) {
    Entity& entity = of(name);
    entities.loaded(entity, row(bytes));
    entities.drop_box(entity);
  }
  void change(const std::string& name, const std::string& bytes) {
    Entity& entity = of(name);
    entities.executed(entity, row(bytes));
    entities.drop_box(entity);
  }
};

}  // namespace

TEST_CASE("a key without messages and without a known state is not kept", "[entities]") {
  World w(1000);
  Entity& entity = w.of("a");
  REQUIRE(entity.name == "a");
  REQUIRE_FALSE(entity.state);
  w.entities.drop_box(entity);
  REQUIRE(w.entities.find("a") == nullptr);
}

TEST_CASE("a key keeps its mailbox until it is dropped, and its state beyond", "[entities]") {
  World w(1000);
  Entity& entity = w.of("a");
  Mailbox* const box = entity.box.get();
  REQUIRE(box->entity == &entity);
  w.entities.loaded(entity, row("1"));
  REQUIRE(w.of("a").box.get() == box);
  w.entities.drop_box(entity);
  REQUIRE(w.state("a") == "1");
  REQUIRE(&w.of("a") == &entity);
}

TEST_CASE("what a handler left wins over what the store answers later", "[entities]") {
  World w(1000);
  w.change("a", "new");
  w.read("a", "old");
  REQUIRE(w.state("a") == "new");
}

TEST_CASE("a state that is larger than the room stays until another one is read", "[entities]") {
  World w(10);
  w.read("a", std::string(500, 'x'));
  REQUIRE_FALSE(w.state("a").empty());
  w.read("b", "y");
  REQUIRE(w.entities.find("a") == nullptr);
  REQUIRE(w.state("b") == "y");
}

TEST_CASE("states with uncommitted changes are never forgotten", "[entities]") {
  World w(10);
  w.change("a", "1");
  w.change("a", "2");
  Entity& a = *w.entities.find("a");
  for (int i = 0; i < 5; ++i) w.read("other-" + std::to_string(i), "z");
  REQUIRE(w.state("a") == "2");
  w.entities.committed(a);
  w.read("b", "z");
  REQUIRE(w.state("a") == "2");
  w.entities.committed(a);
  REQUIRE(w.entities.find("a") == nullptr);
}

TEST_CASE("a state is not forgotten while a handler runs on it", "[entities]") {
  World w(10);
  Entity& a = w.of("a");
  w.entities.loaded(a, row("1"));
  const auto item = std::make_shared<Item>();
  item->phase = Item::Phase::running;
  a.box->queue.push_back(item);
  for (int i = 0; i < 5; ++i) w.read("other-" + std::to_string(i), "z");
  REQUIRE(w.state("a") == "1");
  item->phase = Item::Phase::queued;
  w.read("b", "z");
  REQUIRE(w.state("a").empty());
  REQUIRE(w.entities.find("a") == &a);  // its message is still there
}

TEST_CASE("changes are taken back one by one", "[entities]") {
  World w(1000);
  Entity& a = w.of("a");
  w.entities.loaded(a, row("0"));
  const auto before_first = w.entities.executed(a, row("1"));
  const auto before_second = w.entities.executed(a, row("2"));
  w.entities.rolled_back(a, before_second);
  REQUIRE(w.state("a") == "1");
  w.entities.rolled_back(a, before_first);
  REQUIRE(w.state("a") == "0");
}

TEST_CASE("a change of a state that was not in memory is taken back to the store's", "[entities]") {
  World w(1000);
  Entity& a = w.of("a");
  REQUIRE_FALSE(w.entities.executed(a, row("1")));
  w.entities.rolled_back(a, std::nullopt);
  REQUIRE(w.state("a").empty());
  w.entities.loaded(a, row("of the store"));
  REQUIRE(w.state("a") == "of the store");
  w.entities.drop_box(a);
  w.read("b", std::string(2000, 'x'));
  w.read("c", "c");
  REQUIRE(w.entities.find("a") == nullptr);
  REQUIRE(w.state("c") == "c");
}

}  // namespace host::runtime
