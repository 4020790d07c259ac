#include "host/adapters/journal/record.h"

#include <optional>

#include "host/adapters/journal/bytes.h"
#include "host/adapters/journal/crc32c.h"
#include "host/base/check.h"

namespace host::journal {
namespace {

using ports::ShardCommit;

constexpr char kVersion = 2;
constexpr char kWithoutOutgoing = 1;  // the version that did not know them
constexpr char kCompressed = 1;
constexpr std::size_t kChecked = 5;      // where the bytes under the checksum begin
constexpr std::size_t kHeaderSize = 18;  // of everything before the body
constexpr std::size_t kLargestBody = std::size_t{1} << 30;

/// One without entries is left out.
enum class Tag : std::uint8_t {
  offsets = 1,
  states = 2,
  pending_put = 3,
  pending_remove = 4,
  timers_fired = 5,
  timers_forget = 6,
  timer_changes = 7,
  every = 8,
  once = 9,
  marks = 10,
  timers_ended = 11,
  outgoing = 12,  // from version 2 on
};

template <class List, class Put>
void put_section(std::string& out, Tag tag, const List& list, Put put) {
  if (list.empty()) return;
  put_number(out, static_cast<std::uint64_t>(tag));
  put_number(out, list.size());
  for (const auto& entry : list) put(entry);
}

void put_pending(std::string& out, const PendingPut& put) {
  const auto& [row, replaces] = put;
  put_signed(out, row.id);
  put_number(out, (replaces ? 1U : 0U) | (row.stopped ? 2U : 0U));
  put_optional(out, row.due);
  put_text(out, row.last_error);
  put_number(out, static_cast<std::uint64_t>(row.message.kind));
  put_text(out, row.message.id);
  put_text(out, row.message.topic);
  put_optional(out, row.message.key);
  put_text(out, row.message.payload);
  put_pairs(out, row.message.headers);
  put_time(out, row.message.time);
  put_signed(out, row.message.attempt);
}

PendingPut get_pending(ByteReader& in) {
  PendingPut put;
  put.row.id = in.signed_number();
  const std::uint64_t flags = in.number();
  put.replaces = (flags & 1) != 0;
  put.row.stopped = (flags & 2) != 0;
  put.row.due = in.optional_time();
  put.row.last_error = in.text();
  Message& message = put.row.message;
  message.kind = static_cast<Message::Kind>(in.number());
  if (message.kind > Message::Kind::every) in.fail();
  message.id = in.text();
  message.topic = in.text();
  message.key = in.optional_text();
  message.payload = in.text();
  message.headers = in.pairs();
  message.time = in.time();
  message.attempt = static_cast<int>(in.signed_number());
  return put;
}

void put_timer(std::string& out, const std::pair<std::string, TimerChange>& change) {
  put_text(out, change.first);
  if (const auto* cancel = std::get_if<TimerCancel>(&change.second)) {
    put_number(out, 0);
    put_text(out, cancel->id_or_name);
    return;
  }
  const auto& set = std::get<TimerSet>(change.second);
  put_number(out, 1);
  put_text(out, set.id);
  put_text(out, set.name);
  put_time(out, set.due);
  put_text(out, set.payload);
  put_pairs(out, set.headers);
}

std::pair<std::string, TimerChange> get_timer(ByteReader& in) {
  std::string key = in.text();
  if (!in.flag()) return {std::move(key), TimerCancel{in.text()}};
  TimerSet set;
  set.id = in.text();
  set.name = in.text();
  set.due = in.time();
  set.payload = in.text();
  set.headers = in.pairs();
  return {std::move(key), std::move(set)};
}

void put_outgoing(std::string& out, const ports::OutgoingRow& row) {
  put_signed(out, row.epoch);
  put_signed(out, row.seq);
  put_text(out, row.record.topic);
  put_signed(out, row.record.partition);
  put_optional(out, row.record.key);
  put_text(out, row.record.payload);
  put_pairs(out, row.record.headers);
}

ports::OutgoingRow get_outgoing(ByteReader& in) {
  ports::OutgoingRow row;
  row.epoch = in.signed_number();
  row.seq = in.signed_number();
  row.record.topic = in.text();
  row.record.partition = static_cast<PartitionNumber>(in.signed_number());
  row.record.key = in.optional_text();
  row.record.payload = in.text();
  row.record.headers = in.pairs();
  return row;
}

std::string encode_body(const Changes& changes) {
  const ShardCommit& c = changes.commit;
  std::string out;
  out.reserve(c.bytes());
  const auto text = [&](const std::string& value) { put_text(out, value); };
  put_section(out, Tag::offsets, c.next_offsets, [&](const auto& entry) {
    text(entry.first);
    put_signed(out, entry.second);
  });
  put_section(out, Tag::states, c.states, [&](const auto& entry) {
    text(entry.first);
    put_optional(out, entry.second.bytes);
    put_signed(out, entry.second.version);
    put_optional(out, entry.second.quiet_until);
  });
  put_section(out, Tag::pending_put, changes.pending,
              [&](const PendingPut& put) { put_pending(out, put); });
  put_section(out, Tag::pending_remove, c.pending_remove,
              [&](std::int64_t id) { put_signed(out, id); });
  put_section(out, Tag::timers_fired, c.timers_fired, text);
  put_section(out, Tag::timers_ended, changes.timers_ended, text);
  put_section(out, Tag::timers_forget, c.forget_timers, text);
  put_section(out, Tag::timer_changes, c.timers, [&](const auto& entry) { put_timer(out, entry); });
  const auto dated = [&](const auto& entry) {
    text(entry.first);
    put_time(out, entry.second);
  };
  put_section(out, Tag::every, c.every_next, dated);
  put_section(out, Tag::once, c.once_seen, dated);
  put_section(out, Tag::marks, c.marks, [&](const ports::Mark& mark) {
    text(mark.topic);
    put_signed(out, mark.partition);
    text(mark.stream);
    put_signed(out, mark.position.epoch);
    put_signed(out, mark.position.seq);
  });
  return out;
}

ports::StateRow get_state(ByteReader& in) {
  ports::StateRow row;
  row.bytes = in.optional_text();
  row.version = static_cast<int>(in.signed_number());
  row.quiet_until = in.optional_time();
  return row;
}

ports::Mark get_mark(ByteReader& in) {
  ports::Mark mark;
  mark.topic = in.text();
  mark.partition = static_cast<PartitionNumber>(in.signed_number());
  mark.stream = in.text();
  mark.position.epoch = in.signed_number();
  mark.position.seq = in.signed_number();
  return mark;
}

/// One entry of a section; false: no such section.
bool get_entry(ByteReader& in, Tag tag, TailRecord& to) {
  ShardCommit& c = to.commit;
  std::string key;
  switch (tag) {
    case Tag::offsets:
      key = in.text();
      c.next_offsets.emplace_back(std::move(key), in.signed_number());
      return true;
    case Tag::states:
      key = in.text();
      c.states.emplace_back(std::move(key), get_state(in));
      return true;
    case Tag::pending_put:
      to.pending.push_back(get_pending(in));
      return true;
    case Tag::pending_remove:
      c.pending_remove.push_back(in.signed_number());
      return true;
    case Tag::timers_fired:
      c.timers_fired.push_back(in.text());
      return true;
    case Tag::timers_ended:
      to.timers_ended.push_back(in.text());
      return true;
    case Tag::timers_forget:
      c.forget_timers.push_back(in.text());
      return true;
    case Tag::timer_changes:
      c.timers.push_back(get_timer(in));
      return true;
    case Tag::every:
      key = in.text();
      c.every_next.emplace_back(std::move(key), in.time());
      return true;
    case Tag::once:
      key = in.text();
      c.once_seen.emplace_back(std::move(key), in.time());
      return true;
    case Tag::marks:
      c.marks.push_back(get_mark(in));
      return true;
    case Tag::outgoing:
      c.outgoing.push_back(get_outgoing(in));
      return true;
  }
  return false;
}

/// False: it does not add up.
bool decode_body(std::string_view body, TailRecord& to) {
  ByteReader in(body);
  while (in.good() && !in.done()) {
    const auto tag = static_cast<Tag>(in.number());
    const std::uint64_t count = in.count();
    for (std::uint64_t i = 0; i < count && in.good(); ++i) {
      if (!get_entry(in, tag, to)) return false;
    }
  }
  return in.done();
}

}  // namespace

std::size_t Changes::size() const {
  const ShardCommit& c = commit;
  return c.next_offsets.size() + c.states.size() + pending.size() + c.pending_remove.size() +
         c.timers_fired.size() + timers_ended.size() + c.forget_timers.size() + c.timers.size() +
         c.every_next.size() + c.once_seen.size() + c.marks.size();
}

void bring_up_to_date(ports::PendingRow& known, const ports::PendingRow& newer) {
  known.due = newer.due;
  known.stopped = newer.stopped;
  known.last_error = newer.last_error;
  known.message.attempt = newer.message.attempt;
}

namespace {

std::string encode_record(char version, const std::string& body, std::int64_t commit_no) {
  HOST_CHECK(body.size() < kLargestBody, "a commit is larger than a journal record may be");
  const std::optional<std::string> packed = pack(body);

  std::string checked;
  checked.reserve(kHeaderSize + (packed ? packed->size() : body.size()));
  checked.push_back(packed ? kCompressed : '\0');
  put_fixed(checked, static_cast<std::uint64_t>(commit_no), 8);
  put_fixed(checked, body.size(), 4);
  checked.append(packed ? *packed : body);

  std::string out;
  out.reserve(kChecked + checked.size());
  out.push_back(version);
  put_fixed(out, crc32c(checked), 4);
  return out += checked;
}

}  // namespace

std::string encode(const Changes& changes, std::int64_t commit_no) {
  return encode_record(kWithoutOutgoing, encode_body(changes), commit_no);
}

std::string encode_outgoing(const ShardCommit& commit, std::int64_t commit_no) {
  std::string body;
  body.reserve(commit.bytes());
  put_section(body, Tag::outgoing, commit.outgoing,
              [&](const ports::OutgoingRow& row) { put_outgoing(body, row); });
  return encode_record(kVersion, body, commit_no);
}

Result<TailRecord> decode(std::string_view bytes, const ShardRef& shard, std::int64_t commit_no) {
  const std::string which = "the journal record of shard " + shard.to_string() + ", commit " +
                            std::to_string(commit_no) + ", ";
  const auto corrupt = [&](const char* why) {
    return make_error(Error::Code::corrupt, which + "is damaged: " + why,
                      "restore the data folder from a backup");
  };
  if (bytes.size() < kHeaderSize) return corrupt("it is cut off");
  if (bytes[0] > kVersion) {
    return make_error(Error::Code::unsupported, which + "was written by a newer version of host",
                      "run the newer version");
  }
  if (bytes[0] < kWithoutOutgoing) return corrupt("its version is not known");
  if (get_fixed(bytes, 1, 4) != crc32c(bytes.substr(kChecked))) {
    return corrupt("its checksum does not match");
  }
  const std::uint64_t flags = get_fixed(bytes, kChecked, 1);
  TailRecord record;
  record.commit_no = static_cast<std::int64_t>(get_fixed(bytes, kChecked + 1, 8));
  const std::uint64_t size = get_fixed(bytes, kChecked + 9, 4);
  if (record.commit_no != commit_no) return corrupt("it belongs to another commit");
  if (size >= kLargestBody || flags > 1) return corrupt("its header cannot be");

  std::string_view body = bytes.substr(kHeaderSize);
  std::optional<std::string> expanded;
  if (flags == kCompressed) {
    expanded = expand(body, size);
    if (!expanded) return corrupt("it does not decompress");
    body = *expanded;
  }
  if (body.size() != size || !decode_body(body, record)) return corrupt("it does not add up");
  return record;
}

}  // namespace host::journal
