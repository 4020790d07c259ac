#include "tests/runtime/script_fake.h"

#include <utility>

namespace host::fakes {
namespace {

class FakeTask : public ports::Task {
 public:
  FakeTask(const FakeScript& script, ports::Call call) : script_(script), call_(std::move(call)) {}

  ports::Step turn() {
    ports::Step step = script_.handler(call_, answers_);
    for (ports::Effect& effect : step.effects) effect.id = answers_.size() + 1;
    return step;
  }
  ports::Step resume(std::uint64_t effect, ports::EffectAnswer answer) override {
    HOST_CHECK(effect == answers_.size() + 1, "an answer to another effect");
    answers_.push_back(std::move(answer));
    return turn();
  }

 private:
  const FakeScript& script_;
  const ports::Call call_;
  std::vector<ports::EffectAnswer> answers_;
};

class FakeEngine : public ports::Engine {
 public:
  explicit FakeEngine(std::shared_ptr<const FakeScript> script) : script_(std::move(script)) {}

  const Manifest& manifest() const override { return script_->manifest; }
  bool admits() const override { return true; }
  Started start(ports::Call call) override {
    auto task = std::make_unique<FakeTask>(*script_, std::move(call));
    ports::Step step = task->turn();
    if (step.finished()) return {nullptr, std::move(step)};
    return {std::move(task), std::move(step)};
  }
  Result<Inspected> inspect(const Manifest::Subscription& subscription,
                            const std::string& payload) override {
    return script_->inspect(subscription.topic, payload);
  }
  std::size_t memory_bytes() const override { return 0; }
  bool broken() const override { return false; }

 private:
  const std::shared_ptr<const FakeScript> script_;
};

class FakeRevision : public ports::Revision {
 public:
  explicit FakeRevision(FakeScript script)
      : script_(std::make_shared<const FakeScript>(std::move(script))) {}

  const Manifest& manifest() const override { return script_->manifest; }
  const std::vector<std::pair<std::string, std::string>>& files() const override { return files_; }
  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    return std::unique_ptr<ports::Engine>(std::make_unique<FakeEngine>(script_));
  }

 private:
  const std::shared_ptr<const FakeScript> script_;
  const std::vector<std::pair<std::string, std::string>> files_;
};

}  // namespace

std::shared_ptr<const ports::Revision> make_revision(FakeScript script) {
  return std::make_shared<FakeRevision>(std::move(script));
}

ports::Step done(UnitOfWork unit) {
  ports::Step step;
  step.outcome = Outcome{.kind = Outcome::Kind::done, .unit = std::move(unit)};
  return step;
}

ports::Step raised(std::string why) {
  ports::Step step;
  step.outcome = Outcome{.kind = Outcome::Kind::failed, .unit = {}};
  step.outcome->error = make_error(Error::Code::script_error, std::move(why));
  return step;
}

ports::Step wait_for(ports::Effect effect) {
  ports::Step step;
  step.effects.push_back(std::move(effect));
  return step;
}

}  // namespace host::fakes
