#include "host/app/readiness.h"

#include "host/app/admin_documents.h"

namespace host::app {

HttpResponse Readiness::answer() const {
  std::vector<Away> away;
  if (const std::string why = store_.health(); !why.empty()) away.push_back({"store", why});
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) away.push_back({"host", "it is stopping"});
    if (!begun_ && claiming_.empty()) away.push_back({"host", "it is starting"});
    for (const std::string& shard : claiming_) away.push_back({shard, "it is being claimed"});
  }
  return json_response(away.empty() ? 200 : 503, ready_document(away));
}

bool Readiness::look_at(bool settled, const std::vector<runtime::ShardStatus>& shards) {
  std::vector<std::string> claiming;
  for (const runtime::ShardStatus& shard : shards) {
    const bool begun = !shard.status.starts_with("claiming") && shard.status != "idle";
    if (!begun) claiming.push_back(shard.shard.to_string());
  }
  const std::lock_guard lock(mutex_);
  claiming_ = std::move(claiming);
  if (settled && claiming_.empty()) begun_ = true;
  return begun_;
}

void Readiness::stopping() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
}

}  // namespace host::app
