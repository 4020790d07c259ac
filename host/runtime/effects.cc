#include "host/runtime/effects.h"

#include "host/core/partition.h"

namespace host::runtime {
namespace {

/// A store that is away is no failure of the script's: it sees a retryable nil, err.
template <class T>
auto as_answer(Effects::Callback callback) {
  return [callback = std::move(callback)](Result<T> result) mutable {
    if (result) {
      callback(std::move(*result));
    } else {
      callback(std::move(result).error());
    }
  };
}

}  // namespace

void Effects::query(const Environment& env, const std::string& plugin, ports::QueryEffect effect,
                    Executor& lane, Callback callback) {
  env.store.query(plugin, std::move(effect.statement), lane,
                  as_answer<SqlRows>(std::move(callback)));
}

void Effects::read(const Environment& env, const std::string& plugin, ports::ReadEffect effect,
                   Executor& lane, Callback callback) {
  const ShardRef shard{plugin, partition_of(effect.key, env.identity.partitions)};
  env.store.read_state(shard, std::move(effect.key), lane,
                       as_answer<ports::StateRow>(std::move(callback)));
}

void Effects::list(const Environment& env, const std::string& plugin, ports::ListEffect effect,
                   Executor& lane, Callback callback) {
  env.store.list_states(plugin, std::move(effect.after), effect.limit, lane,
                        as_answer<ports::StateList>(std::move(callback)));
}

}  // namespace host::runtime
