#include "host/app/metric_names.h"

namespace host::app {
namespace {

struct Help {
  const char* name;
  const char* kind;
  const char* help;
};
constexpr Help kMetrics[] = {
    {"host_messages_taken_total", "counter", "Messages that shards took from the log"},
    {"host_messages_taken_bytes_total", "counter", "Bytes of their payloads"},
    {"host_messages_handled_total", "counter", "Messages whose handler is done"},
    {"host_messages_sent_total", "counter", "Messages that handlers sent, once committed"},
    {"host_messages_sent_bytes_total", "counter", "Bytes of their payloads"},
    {"host_script_errors_total", "counter", "Attempts that raised"},
    {"host_retries_total", "counter", "Attempts that will be repeated"},
    {"host_dead_letters_total", "counter", "Messages that went to the dead letters"},
    {"host_duplicates_dropped_total", "counter", "Messages that had been taken before"},
    {"host_once_dropped_total", "counter", "Repeats that once or a key of a request tells"},
    {"host_late_dropped_total", "counter", "Messages for keys that were forgotten"},
    {"host_handler_seconds", "histogram", "Wall time of the turns of a call, on its lane"},
    {"host_turns_cut_total", "counter", "Turns that used up their CPU time"},
    {"host_sql_seconds", "histogram", "Plugin SQL, one statement, without its wait"},
    {"host_commits_total", "counter", "Commits"},
    {"host_commit_seconds", "histogram", "From the start of a commit to its end"},
    {"host_commit_messages", "histogram", "Messages that a commit finished"},
    {"host_store_queue_seconds", "histogram", "Wait of work for the writer of the data file"},
    {"host_store_transaction_seconds", "histogram", "One transaction of the writer"},
    {"host_store_sync_seconds", "histogram", "Of it, the COMMIT: writing and syncing"},
    {"host_store_transaction_jobs", "histogram", "Commits and appends in one transaction"},
    {"host_store_failures_total", "counter", "Transactions that could not be written"},
    {"host_store_checkpoint_seconds", "histogram", "Carrying the write-ahead log over"},
    {"host_store_file_bytes", "gauge", "Size of the data file"},
    {"host_store_wal_bytes", "gauge", "Size of the write-ahead log's file"},
    {"host_store_disk_free_bytes", "gauge", "Room on the disk of the data folder"},
    {"host_journal_bytes", "gauge", "Journal rows that the tables lag behind"},
    {"host_journal_oldest_seconds", "gauge", "Age of the oldest entry of the journal"},
    {"host_log_records", "gauge", "Records that the log keeps"},
    {"host_log_bytes", "gauge", "Bytes of the log's batches in the data file"},
    {"host_members", "gauge", "Processes of the deployment"},
    {"host_member_deaths_total", "counter", "Other members that were found dead"},
    {"host_member_rejoins_total", "counter", "Times that others took this process for dead"},
    {"host_claims_total", "counter", "Shards claimed"},
    {"host_fences_total", "counter", "Commits refused because somebody else owns the shard"},
    {"host_log_gaps_total", "counter", "Reads below the start of the log"},
    {"host_lag", "gauge", "Messages taken and not committed"},
    {"host_pending", "gauge", "Messages that wait for a retry, or behind one that does"},
    {"host_pending_oldest_seconds", "gauge", "How long the oldest of them is known"},
    {"host_timers", "gauge", "Durable timers that are in memory"},
    {"host_outbox_rows", "gauge", "Messages sent and not yet acknowledged by the log"},
    {"host_running", "gauge", "Handlers that run or wait"},
    {"host_lua_memory_bytes", "gauge", "Memory of the plugin's Lua states"},
    {"host_lane_delay_seconds", "histogram", "How late a lane runs what is due"},
    {"host_lane_cpu_seconds_total", "counter", "Processor time of a lane's thread"},
    {"host_http_requests_total", "counter", "Requests of routes"},
    {"host_http_request_seconds", "histogram", "From a request's arrival to its answer's head"},
    {"host_http_replays_total", "counter", "Requests that a kept answer was given to"},
    {"host_http_connections", "gauge", "Connections that are open"},
    {"host_http_open_streams", "gauge", "Event streams that are followed now"},
    {"host_tls_certificate_expires_seconds", "gauge", "Until the served certificate ends"},
    {"host_reloads_total", "counter", "New revisions, by what became of them"},
    {"host_log_lines_total", "counter", "Lines that the host logged"},
    {"host_log_lines_left_out_total", "counter", "Lines left out: too many in a second"},
    {"process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM"},
    {"process_cpu_seconds_total", "counter", "Processor time of the process"},
    {"process_open_fds", "gauge", "Files and sockets that are open"},
    {"process_max_fds", "gauge", "How many may be open"},
    {"process_start_time_seconds", "gauge", "When the process began, in Unix time"},
};

}  // namespace

void describe_metrics(ports::Metrics& metrics) {
  for (const Help& metric : kMetrics) metrics.describe(metric.name, metric.kind, metric.help);
}

}  // namespace host::app
