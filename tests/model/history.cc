#include "tests/model/history.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "tests/model/owner.h"

namespace host::model {
namespace {

constexpr int kSteps = 500;
constexpr int kInputs = 14;
constexpr int kRestSteps = 20'000;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// One random history: inputs arrive, processes work, die, stall, are replaced and reloaded, the
/// database of one plugin perhaps returns to a backup. Then everything comes to rest.
class History {
 public:
  History(std::uint64_t seed, Mutant mutant, Coverage& coverage)
      : random_(seed), coverage_(coverage) {
    world_.mutant = mutant;
    failing_ = random_.chance(0.5) ? 0.4 : 0.1;
    repeat_ = random_.chance(0.5) ? 0.1 : 0;
    gap_ = random_.chance(0.5) ? 0.1 : 0;
    restores_ = random_.chance(0.4);
    for (int shard = 0; shard < kShards; ++shard) claim(shard);
  }

  Verdict run() {
    for (int step = 0; step < kSteps; ++step) {
      ++world_.clock;
      disturb(step);
      work(*owners_[at(random_.below(static_cast<int>(owners_.size())))], failing_);
      replace_the_dead(false);
    }
    Verdict verdict;
    verdict.stuck = !come_to_rest();
    judge(verdict);
    return verdict;
  }

 private:
  /// Whoever had the shard stays alive as a zombie.
  void claim(int shard) {
    ++world_.clock;
    owners_.push_back(std::make_unique<Owner>(world_, random_, shard));
    current_[at(shard)] = owners_.back().get();
    ++coverage_.claims;
  }

  void disturb(int step) {
    if (inputs_ < kInputs && random_.chance(0.06)) produce();
    if (random_.chance(0.01)) kill();
    if (random_.chance(0.01)) claim(random_.below(kShards));
    if (random_.chance(0.01)) reload();
    if (random_.chance(0.02)) redrive(current_[at(random_.below(kShards))]);
    if (restores_ && !backup_ && step > 80 && random_.chance(0.02)) backup_ = world_.database;
    if (restores_ && backup_ && !restored_ && step > 200 && random_.chance(0.02)) restore();
  }

  void produce() {
    Message message;
    message.topic = kIn;
    message.key = random_.below(kKeys);
    message.logical = 8 * ++inputs_;
    world_.log.append(message);
    input_keys_.push_back(message.key);
  }

  void kill() {
    current_[at(random_.below(kShards))]->kill(random_.chance(0.5));
    ++coverage_.kills;
  }

  /// Each of the plugin's shards changes at its own time, so one draw changes one.
  void reload() {
    owners_[at(random_.below(static_cast<int>(owners_.size())))]->take_revision();
    ++coverage_.reloads;
  }

  bool redrive(Owner* owner) {
    const ShardRow& row = world_.database[at(owner->shard())];
    if (row.dead.empty() || owner->redriving() || !owner->alive()) return false;
    owner->redrive(row.dead[at(random_.below(static_cast<int>(row.dead.size())))]);
    ++coverage_.redriven;
    return true;
  }

  /// The database of one plugin returns to the backup; its processes are dead or zombies.
  void restore() {
    restored_ = true;
    ++coverage_.restores;
    const Plugin plugin = random_.chance(0.7) ? kA : kB;
    const bool zombies = random_.chance(0.3);
    for (int shard = 0; shard < kShards; ++shard) {
      if (plugin_of(shard) != plugin) continue;
      for (const auto& owner : owners_) {
        if (owner->shard() == shard && !zombies) owner->kill(false);
      }
      world_.database[at(shard)] = (*backup_)[at(shard)];
      claim(shard);
    }
  }

  void replace_the_dead(bool all) {
    for (int shard = 0; shard < kShards; ++shard) {
      const bool dead = !current_[at(shard)]->alive();
      if (dead && (all || random_.chance(0.2))) claim(shard);
    }
    std::erase_if(owners_, [&](const auto& owner) {
      const bool keep = owner->alive() || owner.get() == current_[at(owner->shard())];
      coverage_.fenced += keep ? 0 : 1;
      return !keep;
    });
  }

  /// Some small step that the process has to do.
  void work(Owner& owner, double failing) {
    for (int tries = 0; tries < 12 && owner.alive(); ++tries) {
      if (one_step(owner, failing)) return;
    }
  }

  bool one_step(Owner& owner, double failing) {
    switch (random_.below(12)) {
      case 0:
      case 1:
        return owner.fetch();
      case 2:
        return owner.start();
      case 3:
        return owner.finish(failing);
      case 4:
        return owner.park();
      case 5:
        return owner.fire_timer();
      case 6:
        return owner.build_commit();
      case 7:
        return owner.build_commit_apart();
      case 8:
        return owner.carry_out();
      case 9:
        return answer(owner);
      case 10:
        return owner.publish(repeat_, gap_);
      default:
        return owner.take_acknowledgement();
    }
  }

  /// Now and then the answer does not arrive: outcome unknown, and the owner gives up its claim.
  bool answer(Owner& owner) {
    if (owner.in_flight() && random_.chance(0.02)) {
      owner.kill(random_.chance(0.5));
      return true;
    }
    return owner.take_answer();
  }

  bool at_rest() {
    for (const auto& owner : owners_) {
      if (owner->alive() && !owner->quiet()) return false;
    }
    return std::all_of(world_.database.begin(), world_.database.end(), [](const ShardRow& row) {
      return row.dead.empty() && row.pending.empty() && row.timers.empty();
    });
  }

  /// No failures any more; zombies first say what they have to say. Dead letters are redriven.
  bool come_to_rest() {
    while (inputs_ < kInputs) produce();
    for (int shard = 0; shard < kShards; ++shard) claim(shard);
    for (int step = 0; step < kRestSteps; ++step) {
      for (const auto& owner : owners_) work(*owner, 0);
      replace_the_dead(true);
      if (step % 16 == 0) redrive(current_[at(random_.below(kShards))]);
      if (step % 64 == 63 && at_rest()) return true;
    }
    return false;
  }

  void judge(Verdict& verdict) {
    std::map<int, int> effects;  // logical -> how often
    for (int shard = kPartitions; shard < kShards; ++shard) {
      for (const State& state : world_.database[at(shard)].states) {
        for (const Message& message : state) ++effects[message.logical];
      }
    }
    for (int input = 1; input <= inputs_; ++input) {
      for (int number = 1; number <= 7; ++number) {
        const bool sent = number <= 1 + input % 3 || (number == 7 && input % 3 == 0);
        const int times = effects[input * 8 + number];
        if (sent && times == 0) ++verdict.lost;
        // A restored database repeats work, under new ids; it drops nothing.
        if (times > 1 && !restored_) verdict.doubled += times - 1;
      }
    }
    for (const ShardRow& row : world_.database) {
      for (const State& state : row.states) judge_key(state, verdict);
    }
  }

  /// Order holds per key, topic and sending stream; an id takes effect once, whatever happened.
  void judge_key(const State& state, Verdict& verdict) {
    std::map<MarkPlace, Position> last;
    std::map<std::pair<int, int>, int> last_input;  // topic and key at A -> input
    std::set<std::tuple<int, int, Position>> ids;
    for (const Message& message : state) {
      if (!ids.insert({message.topic, message.stream, message.position}).second) {
        ++verdict.doubled;
        continue;
      }
      if (message.topic == kTopics) continue;  // timers have no order
      Position& before = last[{message.topic, message.stream}];
      if (message.position < before) ++verdict.disordered;
      before = std::max(before, message.position);
      judge_hop(message, last_input, verdict);
    }
  }

  /// From hop to hop: what A sent for one of its keys arrives in the order of A's inputs, unless
  /// the input went through the dead letters, or work was repeated.
  void judge_hop(const Message& message, std::map<std::pair<int, int>, int>& last,
                 Verdict& verdict) {
    const bool exempt = message.topic == kInboxA || message.topic == kInboxB ||
                        message.logical % 8 == 7 || restored_ || message.topic == kIn;
    const int input = message.logical / 8;
    if (exempt || redriven_inputs().contains(input)) return;
    int& before = last[{message.topic, input_keys_[at(input - 1)]}];
    if (input < before) ++verdict.disordered;
    before = std::max(before, input);
  }

  /// Inputs that A has handled by way of its inbox, from A's own states.
  const std::set<int>& redriven_inputs() {
    if (redriven_inputs_) return *redriven_inputs_;
    redriven_inputs_.emplace();
    for (int shard = 0; shard < kPartitions; ++shard) {
      for (const State& state : world_.database[at(shard)].states) {
        for (const Message& message : state) {
          if (message.topic == kInboxA) redriven_inputs_->insert(message.logical / 8);
        }
      }
    }
    return *redriven_inputs_;
  }

  World world_;
  Random random_;
  Coverage& coverage_;
  double failing_ = 0, repeat_ = 0, gap_ = 0;
  bool restores_ = false, restored_ = false;
  int inputs_ = 0;
  std::vector<int> input_keys_;
  std::vector<std::unique_ptr<Owner>> owners_;
  std::array<Owner*, kShards> current_{};
  std::optional<std::array<ShardRow, kShards>> backup_;
  std::optional<std::set<int>> redriven_inputs_;
};

}  // namespace

std::string Verdict::to_string() const {
  return "lost " + std::to_string(lost) + ", doubled " + std::to_string(doubled) + ", disordered " +
         std::to_string(disordered) + (stuck ? ", stuck" : "");
}

Verdict run_history(std::uint64_t seed, Mutant mutant, Coverage* coverage) {
  Coverage unused;
  History history(seed, mutant, coverage != nullptr ? *coverage : unused);
  if (coverage != nullptr) ++coverage->histories;
  return history.run();
}

}  // namespace host::model
