#include "host/adapters/sqlite/jobs.h"

namespace host::sqlite {
namespace {

class AppendJob final : public WriteJob {
 public:
  AppendJob(ports::Appends records, Executor& executor, ports::Log::AppendCallback callback)
      : records_(std::move(records)), executor_(executor), callback_(std::move(callback)) {
    for (const ports::Append& record : records_) {
      bytes_ += record.payload.size() + (record.key ? record.key->size() : 0) + 100;
      for (const auto& [name, value] : record.headers) bytes_ += name.size() + value.size();
    }
  }

  std::size_t bytes() const override { return bytes_; }

  Result<void> apply(Round& round) override {
    answers_.clear();
    refused_ = false;
    for (const ports::Append& record : records_) {
      const Result<void> fine = round.log.check(record);
      refused_ = refused_ || !fine;
      answers_.push_back(fine ? Result<Offset>(Offset{-1}) : Result<Offset>(fine.error()));
    }
    if (refused_) return refuse_all();
    for (std::size_t i = 0; i < records_.size(); ++i) {
      answers_[i] = round.log.append(records_[i]);
    }
    return {};
  }

  void finish(Ending ending) override {
    using Answer = Result<std::vector<Result<Offset>>>;
    const bool answered = ending.kind == Ending::Kind::committed ||
                          (ending.kind == Ending::Kind::refused && refused_);
    if (ending.kind == Ending::Kind::unknown) ending.error.code = Error::Code::timeout;
    Answer answer = answered ? Answer(std::move(answers_)) : Answer(std::move(ending.error));
    executor_.post([callback = std::move(callback_), answer = std::move(answer)]() mutable {
      callback(std::move(answer));
    });
  }

 private:
  /// All or none: those that are fine are not written either.
  Result<void> refuse_all() {
    for (Result<Offset>& answer : answers_) {
      if (!answer) continue;
      answer = make_error(Error::Code::invalid,
                          "not appended, because another record of the same call was refused");
    }
    return make_error(Error::Code::invalid, "a record was refused");
  }

  ports::Appends records_;
  Executor& executor_;
  ports::Log::AppendCallback callback_;
  std::vector<Result<Offset>> answers_;
  bool refused_ = false;
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<WriteJob> make_append_job(ports::Appends records, Executor& executor,
                                          ports::Log::AppendCallback callback) {
  return std::make_unique<AppendJob>(std::move(records), executor, std::move(callback));
}

}  // namespace host::sqlite
