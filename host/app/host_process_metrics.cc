// What /metrics tells of how things stand, beside what was counted.
#include <map>

#include "host/app/host_process.h"
#include "host/app/process_facts.h"

namespace host::app {
namespace {

using Samples = std::vector<telemetry::Sample>;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void add_shards(Samples& out, const std::vector<runtime::ShardStatus>& shards, Time now) {
  struct Sums {
    double pending = 0, oldest = 0, timers = 0, outbox = 0, lag = 0;
  };
  std::map<std::string, Sums> plugins;
  for (const runtime::ShardStatus& shard : shards) {
    Sums& sums = plugins[shard.shard.plugin];
    sums.pending += static_cast<double>(shard.pending);
    sums.timers += static_cast<double>(shard.timers);
    sums.outbox += static_cast<double>(shard.outbox);
    sums.lag += static_cast<double>(shard.lag);
    if (shard.oldest_pending) {
      sums.oldest = std::max(sums.oldest, seconds(now - *shard.oldest_pending));
    }
  }
  for (const auto& [plugin, sums] : plugins) {
    const ports::Labels labels{{"plugin", plugin}};
    out.push_back({"host_pending", sums.pending, labels});
    out.push_back({"host_pending_oldest_seconds", sums.oldest, labels});
    out.push_back({"host_timers", sums.timers, labels});
    out.push_back({"host_outbox_rows", sums.outbox, labels});
    out.push_back({"host_lag", sums.lag, labels});
  }
}

void add_code(Samples& out, const std::vector<runtime::Runtime::Memory>& plugins) {
  for (const runtime::Runtime::Memory& plugin : plugins) {
    out.push_back(
        {"host_running", static_cast<double>(plugin.running), {{"plugin", plugin.plugin}}});
    for (const auto& [revision, bytes] : plugin.bytes) {
      out.push_back({"host_lua_memory_bytes",
                     static_cast<double>(bytes),
                     {{"plugin", plugin.plugin}, {"revision", revision}}});
    }
  }
}

void add_store(Samples& out, const sqlite::Account& account) {
  out.push_back({"host_store_file_bytes", static_cast<double>(account.file_bytes)});
  out.push_back({"host_store_wal_bytes", static_cast<double>(account.wal_bytes)});
  out.push_back({"host_store_disk_free_bytes", static_cast<double>(account.disk_free_bytes)});
  for (const sqlite::Account::Topic& topic : account.topics) {
    const ports::Labels labels{{"topic", topic.name}};
    out.push_back({"host_log_records", static_cast<double>(topic.records), labels});
    out.push_back({"host_log_bytes", static_cast<double>(topic.bytes), labels});
  }
  for (const sqlite::Account::Journal& journal : account.journals) {
    const ports::Labels labels{{"plugin", journal.plugin}};
    out.push_back({"host_journal_bytes", static_cast<double>(journal.bytes), labels});
    out.push_back({"host_journal_oldest_seconds", seconds(journal.age), labels});
  }
}

void add_process(Samples& out, const ProcessFacts& facts) {
  out.push_back({"process_resident_memory_bytes", static_cast<double>(facts.resident_bytes)});
  out.push_back({"process_cpu_seconds_total", facts.cpu_seconds});
  out.push_back({"process_open_fds", static_cast<double>(facts.open_files)});
  out.push_back({"process_max_fds", static_cast<double>(facts.most_files)});
  out.push_back({"process_start_time_seconds", facts.started_seconds});
}

}  // namespace

std::string HostProcess::metrics_text() {
  Samples now;
  add_shards(now, runtime_->shards(), clock_.now());
  add_code(now, runtime_->memory());
  if (const std::optional<sqlite::Account> account = backends_->account()) add_store(now, *account);
  if (const std::optional<ProcessFacts> facts = process_facts()) add_process(now, *facts);
  now.push_back({"host_turns_cut_total", static_cast<double>(parts_.watchdog.cuts())});
  for (const auto& [listener, address] :
       {std::pair{"routes", address_}, {"admin", admin_address_}}) {
    if (!address) continue;
    now.push_back({"host_http_connections",
                   static_cast<double>(address->connections()),
                   {{"listener", listener}}});
  }
  for (const auto& [listener, tls] :
       {std::pair{"routes", tls_.get()}, {"admin", admin_tls_.get()}}) {
    if (tls == nullptr) continue;
    now.push_back({"host_tls_certificate_expires_seconds",
                   seconds(tls->not_after() - clock_.now()),
                   {{"listener", listener}}});
  }
  return parts_.metrics.text(now);
}

}  // namespace host::app
