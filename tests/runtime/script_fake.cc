#include "tests/runtime/script_fake.h"

#include <utility>

namespace host::fakes {
namespace {

class FakeEngine;

class FakeTask : public ports::Task {
 public:
  FakeTask(FakeEngine& engine, ports::Call call);
  ~FakeTask() override;

  ports::Step turn();
  ports::Step resume(std::uint64_t effect, ports::EffectAnswer answer) override {
    HOST_CHECK(effect == answers_.size() + 1, "an answer to another effect");
    answers_.push_back(std::move(answer));
    return turn();
  }
  ports::Step next_part(std::size_t) override;

 private:
  FakeEngine& engine_;
  const ports::Call call_;
  std::vector<ports::EffectAnswer> answers_;
  std::size_t parts_ = 0;
};

class FakeEngine : public ports::Engine {
 public:
  explicit FakeEngine(std::shared_ptr<const FakeScript> script)
      : script_(std::move(script)), manifest_(script_->manifest) {}
  ~FakeEngine() override { HOST_CHECK(running_ == 0, "an engine went before its tasks"); }

  const Manifest& manifest() const override { return manifest_; }
  bool admits() const override {
    return !broken_ && (!script_->admits || script_->admits(running_));
  }
  Started start(ports::Call&& call) override {
    if (call.kind == ports::Call::Kind::check) {
      ports::Step fits;
      fits.http = ports::HttpOutcome{};
      return {nullptr, std::move(fits)};
    }
    auto task = std::make_unique<FakeTask>(*this, std::move(call));
    ports::Step step = task->turn();
    if (step.finished()) return {nullptr, std::move(step)};
    return {std::move(task), std::move(step)};
  }
  Result<Inspected> inspect(const Manifest::Subscription& subscription,
                            const std::string& payload) override {
    return script_->inspect(subscription.topic, payload);
  }
  std::size_t memory_bytes() const override { return 1000; }
  bool broken() const override { return broken_; }

 private:
  friend class FakeTask;
  const std::shared_ptr<const FakeScript> script_;
  const Manifest manifest_;  // goes with the engine, as that of the script engine does
  std::size_t running_ = 0;
  bool broken_ = false;
};

FakeTask::FakeTask(FakeEngine& engine, ports::Call call) : engine_(engine), call_(std::move(call)) {
  ++engine_.running_;
}
FakeTask::~FakeTask() { --engine_.running_; }

ports::Step FakeTask::turn() {
  ports::Step step = engine_.script_->handler(call_, answers_);
  for (ports::Effect& effect : step.effects) effect.id = answers_.size() + 1;
  if (step.outcome && step.outcome->error.code == Error::Code::exhausted) {
    engine_.broken_ = true;
    if (engine_.running_ == 1) step.outcome->kind = Outcome::Kind::failed;
  }
  return step;
}

ports::Step FakeTask::next_part(std::size_t) { return engine_.script_->part(++parts_); }

class FakeRevision : public ports::Revision {
 public:
  explicit FakeRevision(FakeScript script)
      : script_(std::make_shared<const FakeScript>(std::move(script))) {}

  const Manifest& manifest() const override { return script_->manifest; }
  const std::vector<std::pair<std::string, std::string>>& files() const override { return files_; }
  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    if (script_->loads && !script_->loads()) {
      return make_error(Error::Code::script_error, "the script does not load");
    }
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

ports::Step out_of_memory() {
  ports::Step step;
  step.outcome = Outcome{.kind = Outcome::Kind::again, .unit = {}};
  step.outcome->error = make_error(Error::Code::exhausted, "out of memory");
  return step;
}

ports::Step wait_for(ports::Effect effect) {
  ports::Step step;
  step.effects.push_back(std::move(effect));
  return step;
}

}  // namespace host::fakes
