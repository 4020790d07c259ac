#include "tests/runtime/ledger.h"

#include <sstream>

#include "tests/runtime/script_fake.h"

namespace host::ledger {

std::string account(int n) { return "account-" + std::to_string(n); }

Transfer Transfer::parse(const std::string& text) {
  Transfer t;
  std::istringstream(text) >> t.id >> t.payer >> t.payee >> t.amount;
  return t;
}

std::string Transfer::text() const {
  return std::to_string(id) + " " + payer + " " + payee + " " + std::to_string(amount);
}

Account Account::parse(const std::optional<std::string>& bytes) {
  Account a;
  if (!bytes) return a;
  std::istringstream in(*bytes);
  std::size_t debits = 0, credits = 0;
  in >> a.balance >> debits >> credits;
  for (std::vector<int>* ids : {&a.debits, &a.credits}) {
    ids->resize(ids == &a.debits ? debits : credits);
    for (int& id : *ids) in >> id;
  }
  return a;
}

std::string Account::text() const {
  std::ostringstream out;
  out << balance << " " << debits.size() << " " << credits.size();
  for (int id : debits) out << " " << id;
  for (int id : credits) out << " " << id;
  return out.str();
}

Way way_of(const Transfer& t) { return static_cast<Way>(t.id % static_cast<int>(Way::kCount)); }

namespace {

Emit credit(const Transfer& t) {
  return {.topic = "credits", .key = t.payee, .payload = t.text(), .headers = {}};
}

UnitOfWork debit(const ports::Call& call, const Transfer& t) {
  UnitOfWork unit;
  Account account = Account::parse(call.state->bytes);
  account.balance -= t.amount;
  account.debits.push_back(t.id);
  unit.state = StateChange{account.text()};
  if (way_of(t) == Way::timer) {
    // One timer that will run, and two that are cancelled in the same and in a later unit.
    unit.timers.push_back(TimerSet{call.message->id + "/t1", "send",
                                   call.wall_clock + std::chrono::milliseconds(30), t.text()});
    unit.timers.push_back(TimerSet{call.message->id + "/t2", "never",
                                   call.wall_clock + std::chrono::milliseconds(1), t.text()});
    unit.timers.push_back(TimerCancel{call.message->id + "/t2"});
  } else {
    unit.emits.push_back(credit(t));
  }
  return unit;
}

ports::Step ledger(const ports::Call& call, const std::vector<ports::EffectAnswer>& answers) {
  const Transfer t = Transfer::parse(call.message->payload);
  if (call.message->kind == Message::Kind::timer) {
    if (call.message->topic != "send") return fakes::raised("a cancelled timer ran");
    UnitOfWork unit;
    unit.emits.push_back(credit(t));
    if (t.id % 3 == 0 && call.message->attempt == 1) return fakes::raised("first attempt");
    return fakes::done(std::move(unit));
  }
  if (call.message->topic == "credits") {
    UnitOfWork unit;
    Account account = Account::parse(call.state->bytes);
    account.balance += t.amount;
    account.credits.push_back(t.id);
    unit.state = StateChange{account.text()};
    return fakes::done(std::move(unit));
  }
  switch (way_of(t)) {
    case Way::raises:
      if (call.message->attempt <= 2) return fakes::raised("one of the first attempts");
      break;
    case Way::yields:
      if (answers.size() < 3) return fakes::wait_for({.id = 0, .what = ports::YieldEffect{}});
      break;
    case Way::query:
      if (answers.empty()) {
        return fakes::wait_for(
            {.id = 0, .what = ports::QueryEffect{{.text = "q", .parameters = {}}}});
      }
      break;
    case Way::reads:
      if (answers.size() < 2) return fakes::wait_for({.id = 0, .what = ports::ReadEffect{t.payee}});
      break;
    case Way::retries:
      if (call.message->attempt == 1) {
        ports::Step step;
        step.outcome = Outcome{.kind = Outcome::Kind::retry, .unit = {}};
        step.outcome->delay = std::chrono::milliseconds(7);
        return step;
      }
      break;
    default:
      break;
  }
  UnitOfWork unit = debit(call, t);
  if (way_of(t) == Way::sql) {
    const bool fails = t.id % 3 == 0 && call.message->attempt == 1;
    unit.sql.push_back({.text = fails ? "fail" : "insert " + t.text(), .parameters = {}});
  }
  return fakes::done(std::move(unit));
}

}  // namespace

std::shared_ptr<const ports::Revision> revision() {
  Manifest manifest;
  manifest.name = "ledger";
  manifest.revision = "r1";
  manifest.has_state = true;
  RetryRule retry;
  retry.attempts = 6;
  retry.backoff_min = std::chrono::milliseconds(5);
  retry.backoff_max = std::chrono::milliseconds(50);
  manifest.on.push_back({.topic = "transfers", .key_field = "", .once = {}, .retry = retry});
  manifest.on.push_back({.topic = "orders", .key_field = "payer", .once = {}, .retry = retry});
  manifest.on.push_back({.topic = "credits", .key_field = "", .once = {}, .retry = retry});
  manifest.timers.push_back({.name = "send", .retry = retry});
  manifest.timers.push_back({.name = "never", .retry = retry});
  return fakes::make_revision(
      {.manifest = std::move(manifest),
       .handler = ledger,
       .inspect = [](const std::string&, const std::string& payload) {
         return ports::Engine::Inspected{Transfer::parse(payload).payer, std::nullopt};
       }});
}

}  // namespace host::ledger
