#include "host/adapters/kafka/client.h"

#include <array>

namespace host::kafka {
namespace {

constexpr int kSyslogError = 3;

void log_line(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  auto* logger = static_cast<ports::Logger*>(rd_kafka_opaque(client));
  if (logger == nullptr) return;
  logger->log(level <= kSyslogError ? ports::LogLevel::warn : ports::LogLevel::debug, text,
              {{"client", rd_kafka_name(client)}, {"facility", facility}});
}

}  // namespace

Conf::Conf(const Options& options, const std::vector<std::pair<std::string, std::string>>& own)
    : handle_(rd_kafka_conf_new()) {
  std::vector<std::pair<std::string, std::string>> all{
      {"bootstrap.servers", options.brokers},
      {"client.id", options.client_id},
      {"socket.nagle.disable", "true"},
      {"socket.keepalive.enable", "true"},
      // A broker that was killed is asked again soon: it saves seconds at its return.
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"allow.auto.create.topics", "false"},
      {"topic.metadata.refresh.interval.ms", "60000"},
  };
  all.insert(all.end(), own.begin(), own.end());
  all.insert(all.end(), options.settings.begin(), options.settings.end());
  std::array<char, 512> why{};
  for (const auto& [name, value] : all) {
    const auto set =
        rd_kafka_conf_set(handle_.get(), name.c_str(), value.c_str(), why.data(), why.size());
    if (set == RD_KAFKA_CONF_OK || !problem_.empty()) continue;
    problem_ = "the Kafka client does not take the setting " + name + ": " + why.data();
  }
  rd_kafka_conf_set_opaque(handle_.get(), options.logger);
  rd_kafka_conf_set_log_cb(handle_.get(), log_line);
}

Result<ClientHandle> Conf::make(rd_kafka_type_t type) {
  if (!problem_.empty()) return make_error(Error::Code::invalid, problem_);
  std::array<char, 512> why{};
  rd_kafka_t* made = rd_kafka_new(type, handle_.get(), why.data(), why.size());
  if (made == nullptr) {
    return make_error(Error::Code::invalid,
                      std::string("the Kafka client cannot start: ") + why.data());
  }
  (void)handle_.release();  // the client's own from now on
  return ClientHandle(made);
}

}  // namespace host::kafka
