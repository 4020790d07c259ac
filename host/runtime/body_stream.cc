#include "host/runtime/body_stream.h"

namespace host::runtime {

BodyStream::BodyStream(const Environment& environment, Names names, std::shared_ptr<HttpCall> call,
                       std::shared_ptr<ports::HttpStream> out, std::function<void()> ended)
    : env_(environment),
      names_(std::move(names)),
      call_(std::move(call)),
      out_(std::move(out)),
      ended_(std::move(ended)) {}

void BodyStream::start(std::string first) {
  out_->on_close([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  write({.bytes = std::move(first), .last = false});
}

void BodyStream::write(ports::BodyPart part) {
  out_->write(std::move(part.bytes), [weak = weak_from_this(), last = part.last](bool alive) {
    const auto self = weak.lock();
    if (!self || !self->out_) return;
    alive ? self->wrote(last) : self->abandon();
  });
}

void BodyStream::wrote(bool last) {
  if (last) {
    out_->finish();
    end();
    return;
  }
  call_->next_part([weak = weak_from_this()](Result<ports::BodyPart> part) {
    const auto self = weak.lock();
    if (!self || !self->out_) return;
    part ? self->write(std::move(*part)) : self->failed(part.error());
  });
}

void BodyStream::failed(const Error& error) {
  env_.logger.log(ports::LogLevel::error, "an answer was broken off",
                  {{"plugin", names_.plugin},
                   {"route", names_.route},
                   {"error", error.to_string()},
                   {"correlation_id", names_.correlation_id},
                   {"revision", names_.revision}});
  end();
}

void BodyStream::abandon() {
  if (!out_) return;
  end();
}

void BodyStream::end() {
  const auto self = shared_from_this();
  call_->cancel();
  out_.reset();
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace host::runtime
