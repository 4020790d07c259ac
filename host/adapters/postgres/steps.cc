#include "host/adapters/postgres/steps.h"

#include "host/adapters/journal/bytes.h"

namespace host::postgres {

using ports::ShardCommit;

Step fence(const ShardCommit& c) {
#ifdef HOST_SABOTAGE_NO_FENCE
  constexpr const char* kFence =
      "with f as (update ~host_shard set commit_no = commit_no + 1, seq = $4, acked_seq = $5,"
      " state_version = greatest(state_version, $6), claims = 0"
      " where number = $1 and $2 = $2 and $3 = $3 returning 1) select 1 / count(*) from f";
#else
  constexpr const char* kFence =
      "with f as (update ~host_shard set commit_no = commit_no + 1, seq = $4, acked_seq = $5,"
      " state_version = greatest(state_version, $6), claims = 0"
      " where number = $1 and epoch = $2 and commit_no = $3 returning 1)"
      " select 1 / count(*) from f";
#endif
  return {.place = Step::Place::fence,
          .sql = kFence,
          .params = Params(c.shard.number, c.epoch, c.commit_no, c.seq, c.acked_seq,
                           std::int32_t{c.state_version})};
}

Step fence_without_commit(PartitionNumber shard, std::int64_t epoch, std::int64_t commit_no) {
  return {.place = Step::Place::fence,
          .sql =
              "with f as (select 1 from ~host_shard where number = $1 and epoch = $2"
              " and commit_no = $3 for update) select 1 / count(*) from f",
          .params = Params(shard, epoch, commit_no)};
}

void add_answers(Steps& steps, const ShardCommit& c, Time now) {
  if (c.answers.empty()) return;
  std::map<std::string_view, const ports::KeptAnswer*> by_scope;  // sorted: no two wait crosswise
  for (const ports::KeptAnswer& answer : c.answers) by_scope[answer.scope] = &answer;
  Array scopes(kBytea), requests(kBytea), statuses(kInt4), headers(kBytea), bodies(kBytea),
      whole(kBool), until(kInt8);
  for (const auto& [scope, answer] : by_scope) {
    scopes.add(scope);
    requests.add(answer->request);
    statuses.add(static_cast<std::int64_t>(answer->response.status));
    headers.add(journal::encode_pairs(answer->response.headers));
    bodies.add(answer->response.body);
    whole.add(answer->whole);
    until.add(answer->until);
  }
  steps.push_back(
      {.place = Step::Place::answers,
       .sql = "with a as (insert into ~host_answer as h"
              " (scope, request, status, headers, body, whole, until)"
              " select * from unnest($1, $2, $3, $4, $5, $6, $7)"
              " on conflict (sha256(scope)) do update set request = excluded.request,"
              " status = excluded.status, headers = excluded.headers, body = excluded.body,"
              " whole = excluded.whole, until = excluded.until where h.until <= $8 returning 1)"
              " select 1 / (count(*) = $9)::int from a",
       .params =
           Params(std::move(scopes), std::move(requests), std::move(statuses), std::move(headers),
                  std::move(bodies), std::move(whole), std::move(until), now, by_scope.size())});
}

Step insert_record(PartitionNumber shard, std::int64_t commit_no, const std::string& record) {
  return {.sql = "insert into ~host_journal (shard, commit_no, data) values ($1, $2, $3)",
          .params = Params(shard, commit_no, Bytes{record})};
}

void add_outbox(Steps& steps, const ShardCommit& c, const std::string& record, bool remove) {
  if (!record.empty()) {
    steps.push_back(
        {.sql = "insert into ~host_outbox (shard, commit_no, last_seq, data)"
                " values ($1, $2, $3, $4)",
         .params = Params(c.shard.number, c.commit_no + 1, c.outgoing.back().seq, Bytes{record})});
  }
  if (!remove) return;
  steps.push_back({.sql = "delete from ~host_outbox where shard = $1 and last_seq <= $2",
                   .params = Params(c.shard.number, c.acked_seq)});
}

namespace {

void add_dead_letters(Steps& steps, const std::vector<ports::DeadLetter>& dead) {
  std::map<std::string_view, const ports::DeadLetter*> by_id;
  for (const ports::DeadLetter& letter : dead) by_id[letter.id] = &letter;
  Array ids(kBytea), shards(kInt4), kinds(kInt4), topics(kBytea), keys(kBytea), payloads(kBytea),
      headers(kBytea), times(kInt8), attempts(kInt4), reasons(kBytea), codes(kInt4), errors(kBytea),
      hints(kBytea), files(kBytea), lines(kInt4), revisions(kBytea), at(kInt8);
  for (const auto& [id, letter] : by_id) {
    const Message& message = letter->message;
    ids.add(id);
    shards.add(std::int64_t{letter->shard});
    kinds.add(static_cast<std::int64_t>(message.kind));
    topics.add(message.topic);
    keys.add(message.key);
    payloads.add(message.payload);
    headers.add(journal::encode_pairs(message.headers));
    times.add(message.time);
    attempts.add(std::int64_t{message.attempt});
    reasons.add(letter->reason);
    codes.add(static_cast<std::int64_t>(letter->error.code));
    errors.add(letter->error.message);
    hints.add(letter->error.hint);
    files.add(letter->error.file);
    lines.add(std::int64_t{letter->error.line});
    revisions.add(letter->revision);
    at.add(letter->at);
  }
  steps.push_back(
      {.sql = "insert into ~host_dead_letter (id, shard, kind, topic, key, payload, headers, time,"
              " attempt, reason, error_code, error, hint, file, line, revision, at)"
              " select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
              " $15, $16, $17) on conflict (sha256(id)) do update set shard = excluded.shard,"
              " kind = excluded.kind, topic = excluded.topic, key = excluded.key,"
              " payload = excluded.payload, headers = excluded.headers, time = excluded.time,"
              " attempt = excluded.attempt, reason = excluded.reason,"
              " error_code = excluded.error_code, error = excluded.error, hint = excluded.hint,"
              " file = excluded.file, line = excluded.line, revision = excluded.revision,"
              " at = excluded.at",
       .params = Params(std::move(ids), std::move(shards), std::move(kinds), std::move(topics),
                        std::move(keys), std::move(payloads), std::move(headers), std::move(times),
                        std::move(attempts), std::move(reasons), std::move(codes),
                        std::move(errors), std::move(hints), std::move(files), std::move(lines),
                        std::move(revisions), std::move(at))});
}

void add_replies(Steps& steps, const std::vector<ports::Reply>& replies) {
  std::map<std::string_view, const ports::Reply*> by_ask;  // the last one of an ask counts
  for (const ports::Reply& reply : replies) by_ask[reply.ask_id] = &reply;
  Array asks(kBytea), payloads(kBytea), until(kInt8);
  for (const auto& [ask, reply] : by_ask) {
    asks.add(ask);
    payloads.add(reply->payload);
    until.add(reply->until);
  }
  steps.push_back({.sql = "insert into ~host_reply (ask_id, payload, until)"
                          " select * from unnest($1, $2, $3) on conflict (sha256(ask_id))"
                          " do update set payload = excluded.payload, until = excluded.until",
                   .params = Params(std::move(asks), std::move(payloads), std::move(until))});
}

}  // namespace

void add_shared_rows(Steps& steps, const ShardCommit& c) {
  if (!c.dead_remove.empty()) {
    Array ids(kBytea);
    for (const std::string& id : c.dead_remove) ids.add(id);
    steps.push_back({.sql = "delete from ~host_dead_letter where sha256(id) in"
                            " (select sha256(i) from unnest($1) as u(i))",
                     .params = Params(std::move(ids))});
  }
  if (!c.dead.empty()) add_dead_letters(steps, c.dead);
  if (!c.replies.empty()) add_replies(steps, c.replies);
}

}  // namespace host::postgres
