#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/message.h"
#include "host/core/unit_of_work.h"
#include "host/ports/script_engine.h"
#include "host/ports/store.h"
#include "host/runtime/fifo.h"
#include "host/runtime/recycled.h"

namespace host::runtime {

struct Entity;
struct Mailbox;
struct TopicInput;

/// What a handled message leaves behind until its commit.
struct Finished {
  UnitOfWork unit;
  std::optional<ports::StateRow> state_before;  // where the unit changed it and it was in memory
  std::vector<ports::TimerRow> cancelled;       // due ones that the unit took out of the mailbox
  std::unique_ptr<ports::DeadLetter> dead;
  int state_version = 0;       // of the code that wrote the state
  std::int64_t sql_seq = 0;    // place among the shard's units with SQL; 0: none
  std::size_t emit_bytes = 0;  // of all payloads that it sends
};

/// One message that a shard has taken: from its arrival until the commit that ends it.
/// Only on its lane.
struct Item {
  enum class From { record, pending, timer, every };
  enum class Phase {
    queued,    // stands in its mailbox
    loading,   // head of its mailbox; payload or state is on its way
    running,   // its handler runs or waits
    finished,  // `finished` waits for its commit
  };

  From from = From::record;
  Phase phase = Phase::queued;
  Message message;
  bool payload_loaded = true;
  Mailbox* box = nullptr;  // it stands there, queued or finished; null: in none
  Time taken{};

  TopicInput* input = nullptr;  // of a record
  Offset offset = -1;
  std::size_t message_bytes = 0;  // of its payload, also when that is not here
  std::optional<Origin> origin;
  std::string once_id;
  Time once_until{};
  bool once_checked = false;
  bool forwarded = false;  // it goes on to the inbox, as the same message
  bool passed = true;      // the prefix went past it (a record: false until then)

  std::int64_t arrival = 0;     // ascends in the shard; becomes the id of its row
  std::int64_t pending_id = 0;  // of its row; 0: none
  bool row_dirty = false;       // attempt, due or stopped changed since the row was written
  bool park_now = false;        // it waits for a commit of others: the prefix must go on
  bool alone = false;           // its engine ran out of memory: it runs beside no other
  bool waiting = false;         // it may not start yet, and is asked again
  int run_no = 0;               // answers to an earlier run's effects are not for this one
  std::optional<Time> due;
  bool stopped = false;
  std::string last_error;

  bool in_batch = false;  // part of the commit in flight
  bool parking = false;   // that commit writes its row

  Time every_next{};  // of an every: when it is due again

  std::shared_ptr<ports::Engine> engine;  // outlives the task
  std::unique_ptr<ports::Task> task;
  double turn_seconds = 0;       // wall time of its turns on the lane, in this run
  std::string engine_revision;   // of the engine that ran it last
  int engine_state_version = 0;  // of the same
  Finished finished;
};
using ItemPtr = std::shared_ptr<Item>;

/// The messages of one key: handled one after the other, in order. It stays where it is in memory
/// as long as it is not idle or is still to be looked at. Only on its lane.
struct Mailbox {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Entity* entity = nullptr;         // whose it is
  Fifo<ItemPtr> queue;              // the head may be loading or running
  Fifo<ItemPtr> finished;           // handled, in order, and not committed
  std::size_t batched = 0;          // of `finished`, from the front: part of the commit in flight
  std::size_t pending = 0;          // rows of this key
  std::size_t parking = 0;          // rows of this key that the commit in flight makes
  std::size_t state_entry = kNone;  // of the key, among the states of the commit in flight
  bool ready = false;               // it waits to be looked at

  bool idle() const { return queue.empty() && finished.empty(); }
};
/// Most mailboxes live for one message: their memory goes round.
struct DropMailbox {
  void operator()(Mailbox* box) const {
    box->~Mailbox();
    Recycled<Mailbox>().deallocate(box, 1);
  }
};
using MailboxPtr = std::unique_ptr<Mailbox, DropMailbox>;
inline MailboxPtr make_mailbox() {
  return MailboxPtr(new (Recycled<Mailbox>().allocate(1)) Mailbox);
}

/// One topic of the shard. `queue` holds what was taken and not yet passed by the prefix.
struct TopicInput {
  std::string topic;
  std::deque<ItemPtr> queue;
  std::size_t bytes = 0;
  Offset read_to = 0;     // where the next fetch begins
  Offset committed = -1;  // next offset of the last commit; -1: none yet
  std::unique_ptr<ports::Log::Fetch> fetch;
  std::vector<Record> arrived;  // by the last fetch: those from `next_arrived` on are to be taken
  std::size_t next_arrived = 0;
  Offset arrived_to = 0;  // where the fetch after them begins
  Offset end = 0;         // of the topic's partition, when they arrived
  bool inbox = false;     // it is the plugin's own, for messages of keys that came elsewhere
  bool stopped = false;   // by a gap or a topic that is gone
  bool removed = false;   // the plugin's code does not read it any more
  std::string why;        // it does not go on
  std::string told;       // the last of these that was logged

  /// Messages that no commit has passed, those that are still in the log included.
  std::int64_t lag() const {
    const bool taking = !arrived.empty();
    const std::size_t here = queue.size() + (taking ? arrived.size() - next_arrived : 0);
    return static_cast<std::int64_t>(here) +
           std::max<std::int64_t>(end - (taking ? arrived_to : read_to), 0);
  }

  /// The offset that a commit would write: of the first message that it does not pass.
  Offset next(std::size_t passed_in_batch) const {
    return passed_in_batch < queue.size() ? queue[passed_in_batch]->offset : read_to;
  }
};

}  // namespace host::runtime
