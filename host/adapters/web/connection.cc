#include "host/adapters/web/connection.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>

#include "host/adapters/web/responder.h"

namespace host::web {
namespace asio = boost::asio;

namespace {

constexpr SteadyTime kNever = SteadyTime::max();

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, Socket socket, std::string address,
                       std::unique_ptr<TlsSession> tls)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      address_(std::move(address)),
      tls_(std::move(tls)),
      parser_(ParserLimits{.header_bytes = core_->settings.max_header_bytes,
                           .headers = core_->settings.max_headers}),
      read_deadline_(core_->now + core_->settings.header_timeout),
      write_deadline_(kNever) {}

void Connection::start(std::list<std::shared_ptr<Connection>>::iterator self) {
  self_ = self;
  if (!core_->poller->add(socket_.get(), *this)) abort();
}

void Connection::refuse_overload() { fail(503, "this server has as many connections as it takes"); }

// ---- reading ----

bool Connection::paused() const {
  return slots_.size() >= core_->settings.max_pipelined ||
         out_.size() - sent_ > core_->settings.max_unsent;
}

void Connection::on_ready(bool readable, bool writable, bool hangup) {
  if (closed_) return;
  const auto keep = shared_from_this();
  hangup_ = hangup_ || hangup;
  if (writable && std::exchange(writing_, false)) write();
  if (!readable || closed_) return;
  readable_ = true;
  if (may_read()) take();
}

bool Connection::may_read() const {
  return readable_ && !eof_ && !closed_ && (lingering_ || (!closing_ && !paused()));
}

/// What is there is read later, once for all who ask: whoever calls may be in the middle of
/// something, and others have their turn in between.
void Connection::read() {
  if (!may_read() || read_posted_) return;
  read_posted_ = true;
  asio::post(core_->io, [self = shared_from_this()] {
    self->read_posted_ = false;
    if (self->may_read()) self->take();
  });
}

/// Reads once. With TLS to one place of the lane, so that a client who sends nothing costs no
/// buffer for the wire.
void Connection::take() {
  const std::size_t wanted =
      phase_ == Phase::body || lingering_ ? ReadBuffer::kLarge / 2 : ReadBuffer::kSmall / 2;
  char* const room = tls_ ? core_->wire.data() : in_.prepare(wanted);
  const std::size_t size = tls_ ? core_->wire.size() : in_.room();
  const ssize_t n = ::recv(socket_.get(), room, size, 0);
  if (n < 0) {
    if (errno == EAGAIN) readable_ = false;
    if (errno != EAGAIN && errno != EINTR) return abort();
    if (in_.size() == 0) in_.clear();  // its room is for others meanwhile
    return read();
  }
  if (n == 0) return on_eof();
  // Less than there was room for is all; the kernel tells of what comes next.
  if (static_cast<std::size_t>(n) < size) readable_ = hangup_;
  on_bytes(static_cast<std::size_t>(n));
}

void Connection::on_bytes(std::size_t n) {
  if (lingering_ || input_closed_) {
    in_.clear();
    return read();
  }
  if (tls_) return on_wire_bytes(n);
  in_.commit(n);
  process();
}

void Connection::on_eof() {
  eof_ = true;
  if (lingering_) return abort();
  input_closed_ = true;
  in_.clear();
  set_phase(Phase::idle);
  // Who reads no stream to its end has gone; who waits for an answer may have closed one half only.
  const bool streams = std::any_of(slots_.begin(), slots_.end(),
                                   [](const Slot& slot) { return slot.streaming && !slot.whole; });
  if (streams || resting()) abort();
}

void Connection::process() {
  const auto keep = shared_from_this();
  processing_ = true;
  while (in_.size() > 0 && !input_closed_ && !closed_ && !paused()) {
    std::size_t used = 0;
    RequestParser::State state = parser_.put(in_.data(), in_.size(), used);
    in_.consume(used);
    if (parser_.started() && phase_ == Phase::idle) set_phase(Phase::header);
    if (state == RequestParser::State::head) {
      set_phase(Phase::body);
      state = parser_.set_max_body(core_->handler.max_body(parser_.request()));
      if (state == RequestParser::State::need_more && parser_.expects_continue() &&
          in_.size() == 0) {
        continue_wanted_ = true;
      }
    } else if (state == RequestParser::State::need_more) {
      break;
    }
    if (state == RequestParser::State::done) on_request();
    if (state == RequestParser::State::failed) {
      fail(parser_.failure().status, parser_.failure().detail);
    }
  }
  processing_ = false;
  if (closed_) return;
  stalled_ = in_.size() > 0 && !input_closed_ && paused();
  update_read_deadline();
  pump();
  read();
}

void Connection::on_request() {
  ++core_->stats.requests;
  const SlotId id = first_ + slots_.size();
  Slot& slot = slots_.emplace_back();
  HttpRequest request = std::move(parser_.request());
  slot.keep_alive = parser_.keep_alive();
  slot.framing.http10 = parser_.http10();
  slot.framing.head_request = request.method == "HEAD";
  const auto& proxies = core_->settings.proxies;
  request.address = proxies ? proxies->client_of(address_, request.headers) : address_;
  if (!slot.keep_alive) input_closed_ = true;
  continue_wanted_ = false;
  parser_.reset();
  set_phase(Phase::idle);
  if (request.path == "*")
    return respond(id, HttpResponse{.status = 204, .headers = {}, .body = {}});
  try {
    core_->handler.handle(std::move(request), make_responder(core_, weak_from_this(), id));
  } catch (const std::exception& e) {  // the responder went with it, and answered 500
    if (core_->settings.logger != nullptr) {
      core_->settings.logger->log(ports::LogLevel::error, "an HTTP handler raised",
                                  {{"error", e.what()}});
    }
  }
}

/// Answers what is no request, after the requests before it, and closes.
void Connection::fail(int status, std::string_view detail) {
  ++core_->stats.refused;
  input_closed_ = true;
  continue_wanted_ = false;
  set_phase(Phase::idle);
  Slot& slot = slots_.emplace_back();
  slot.keep_alive = false;
  slot.taken = slot.complete = true;
  slot.response = problem(status, detail);
  in_.clear();
  pump();
}

void Connection::set_phase(Phase phase) {
  if (phase_ == phase) return;
  phase_ = phase;
  const ServerSettings& settings = core_->settings;
  // The first request's time began with the connection.
  if (phase == Phase::header && served_) read_deadline_ = core_->now + settings.header_timeout;
  if (phase == Phase::body) read_deadline_ = core_->now + settings.body_timeout;
  if (phase == Phase::idle) {
    served_ = true;
    read_deadline_ = kNever;
  }
}

/// Idle time counts while nothing is asked, and never while we ourselves do not read.
void Connection::update_read_deadline() {
  if (closing_) return;
  const bool answering = !slots_.empty() || !out_.empty();
  if (paused() || (phase_ == Phase::idle && answering)) {
    read_deadline_ = kNever;
  } else if (read_deadline_ == kNever) {
    const ServerSettings& settings = core_->settings;
    read_deadline_ = core_->now + (phase_ == Phase::body     ? settings.body_timeout
                                   : phase_ == Phase::header ? settings.header_timeout
                                                             : settings.idle_timeout);
  }
}

// ---- answering ----

Connection::Slot* Connection::find(SlotId id) {
  if (closed_ || id < first_ || id - first_ >= slots_.size()) return nullptr;
  return &slots_[id - first_];
}

void Connection::respond(SlotId id, HttpResponse response) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->taken) return;
  if (const char* why = refuse_response(response)) {
    if (core_->settings.logger != nullptr) {
      core_->settings.logger->log(ports::LogLevel::error, "an HTTP answer cannot be sent",
                                  {{"reason", why}});
    }
    response = problem(500, std::string("the answer has ") + why);
  }
  slot->taken = slot->complete = true;
  slot->response = std::move(response);
  pump();
}

void Connection::begin_stream(SlotId id, HttpResponse head, ports::HttpResponder::Body body) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->taken) return;
  if (refuse_response(head) != nullptr) return respond(id, std::move(head));
  slot->taken = slot->streaming = true;
  slot->whole = body == ports::HttpResponder::Body::whole;
  slot->framing.chunked = true;
  if (slot->framing.http10) slot->keep_alive = false;
  head.body.clear();
  slot->response = std::move(head);
  const bool nobody_reads = (eof_ || core_->draining) && !slot->whole;
  if (nobody_reads || slot->framing.head_request) end_stream(*slot);
  pump();
}

void Connection::stream_write(SlotId id, std::string bytes, Done done) {
  Slot* slot = find(id);
  if (slot == nullptr || !slot->streaming || slot->complete) {
    return tell_done(std::move(done), false);
  }
  slot->dones.push_back(std::move(done));
  if (!bytes.empty()) {
    if (slot->framing.http10) {
      slot->chunks += bytes;
    } else {
      append_chunk(slot->chunks, bytes);
    }
  }
  pump();
}

void Connection::stream_on_close(SlotId id, UniqueFunction<void()> callback) {
  Slot* slot = find(id);
  if (slot != nullptr && slot->streaming && !slot->closed) {
    slot->on_close = std::move(callback);
  } else {
    asio::post(core_->io, [call = std::move(callback)]() mutable { call(); });
  }
}

void Connection::stream_finish(SlotId id) {
  Slot* slot = find(id);
  if (slot == nullptr || !slot->streaming || slot->complete) return;
  slot->closed = true;  // its owner knows
  slot->on_close = nullptr;
  end_stream(*slot);
  pump();
}

void Connection::stream_dropped(SlotId id) {
  Slot* slot = find(id);
  if (slot != nullptr && slot->streaming && !slot->complete) abort();
}

/// Adds the last chunk; tells the owner if it was not the one who ended it.
void Connection::end_stream(Slot& slot) {
  if (slot.complete) return;
  if (!slot.framing.http10 && !slot.framing.head_request) slot.chunks += "0\r\n\r\n";
  slot.complete = true;
  tell_closed(slot);
}

void Connection::tell_closed(Slot& slot) {
  if (slot.closed) return;
  slot.closed = true;
  if (slot.on_close) {
    asio::post(core_->io, [call = std::move(slot.on_close)]() mutable { call(); });
  }
}

void Connection::drop(Slot& slot) {
  tell_closed(slot);
  for (Done& done : slot.dones) tell_done(std::move(done), false);
  slot.dones.clear();
}

void Connection::tell_done(Done done, bool alive) {
  asio::post(core_->io, [call = std::move(done), alive]() mutable { call(alive); });
}

// ---- writing ----

/// Nothing is asked and nothing is half read.
bool Connection::resting() const {
  return slots_.empty() && phase_ == Phase::idle && in_.size() == 0 && out_.empty();
}

/// Closes a resting connection of a draining server, unless a request has arrived that the loop has
/// not shown us yet.
void Connection::leave() {
  int waiting = 0;
  if (::ioctl(socket_.get(), FIONREAD, &waiting) != 0 || waiting == 0) return abort();
  readable_ = true;
  read();
}

void Connection::pump_slot(Slot& slot) {
  const bool last = slots_.size() == 1 && phase_ == Phase::idle && in_.size() == 0;
  slot.framing.close =
      slot.framing.close || !slot.keep_alive || (last && core_->draining) || (last && eof_);
  if (slot.response) {
    if (slot.streaming) {
      append_head(out_, *slot.response, slot.framing, core_->date);
    } else {
      append_response(out_, *slot.response, slot.framing, core_->date);
    }
    slot.response.reset();
  }
  if (out_.empty()) {
    out_.swap(slot.chunks);
  } else {
    out_ += slot.chunks;
  }
  slot.chunks.clear();
  for (Done& done : slot.dones) written_.push_back(std::move(done));
  slot.dones.clear();
}

/// Moves what may leave into the outgoing bytes, in order.
void Connection::pump() {
  if (processing_ || closed_ || closing_) return;
  const std::size_t before = out_.size();
  if (before == 0 && out_.capacity() < core_->spare.capacity()) out_.swap(core_->spare);
  while (!slots_.empty() && !closing_) {
    Slot& slot = slots_.front();
    if (!slot.taken) break;
    pump_slot(slot);
    if (!slot.complete) break;
    closing_ = slot.framing.close;
    slots_.pop_front();
    ++first_;
  }
  if (closing_) {
    // What was asked after the last answer gets none; whoever works on it is told.
    for (Slot& slot : slots_) drop(slot);
    first_ += slots_.size();
    slots_.clear();
  }
  if (continue_wanted_ && slots_.empty() && !closing_) {
    continue_wanted_ = false;
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  if (write_deadline_ != kNever) {
    write_deadline_ += time_to_take(out_.size() - before);
  }
  if (!std::exchange(write_due_, true)) core_->poller->after_turn(*this);
}

void Connection::on_turn_over() {
  write_due_ = false;
  write();
}

Duration Connection::time_to_take(std::size_t bytes) const {
  return std::chrono::milliseconds(bytes * 1000 / core_->settings.slowest_client);
}

void Connection::write() {
  if (writing_ || closed_) return;
  for (std::string_view bytes = outgoing(); !bytes.empty(); bytes = outgoing()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      sent(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      writing_ = true;
      if (write_deadline_ == kNever) {
        write_deadline_ =
            core_->now + core_->settings.write_timeout + time_to_take(out_.size() - sent_);
      }
      return;
    } else if (errno != EINTR) {
      return abort();
    }
  }
  if (sent_ < out_.size()) return abort();  // TLS that broke takes no more
  flushed();
}

/// All bytes are with the kernel.
void Connection::flushed() {
  write_deadline_ = kNever;
  sent_ = 0;
  if (out_.capacity() > ReadBuffer::kLarge) {
    std::string().swap(out_);
  } else {
    out_.clear();
    if (out_.capacity() > core_->spare.capacity()) out_.swap(core_->spare);
  }
  std::vector<Done> dones = std::move(written_);
  written_.clear();
  for (Done& done : dones) tell_done(std::move(done), true);
  if (closing_) return finish_closing();
  if (resting() && eof_) return abort();
  if (resting() && core_->draining) return leave();
  update_read_deadline();
  if (!stalled_ || input_closed_) return read();
  if (paused() || process_posted_) return;
  // Requests that waited while too much was unanswered; nothing is read until they are parsed.
  process_posted_ = true;
  asio::post(core_->io, [self = shared_from_this()] {
    self->process_posted_ = false;
    if (!self->closed_) self->process();
  });
}

/// Closing with bytes unread makes the kernel send a reset, which can take our last answer with it;
/// so a client that may still be sending is read on for a while.
void Connection::finish_closing() {
  if (tls_ && tls_->close()) return write();  // and comes here again
  if (::shutdown(socket_.get(), SHUT_WR) != 0 || eof_) return abort();
  lingering_ = true;
  read_deadline_ = core_->now + core_->settings.linger_timeout;
  in_.clear();
  read();
}

// ---- ending ----

void Connection::on_tick() {
  if (closed_) return;
  if (core_->now >= write_deadline_) return abort();
  if (core_->now < read_deadline_) return;
  if (lingering_ || phase_ == Phase::idle) return abort();
  fail(408, phase_ == Phase::header ? "the head of the request came too slowly"
                                    : "the body came too slowly");
}

void Connection::drain() {
  if (closed_ || closing_) return;
  for (Slot& slot : slots_) {
    if (!slot.streaming || slot.whole) continue;
    end_stream(slot);
    slot.keep_alive = false;
  }
  pump();  // closes it if nothing is under way
}

void Connection::abort() {
  if (closed_) return;
  const auto keep = shared_from_this();
  closed_ = true;
  socket_ = Socket();
  for (Slot& slot : slots_) drop(slot);
  for (Done& done : written_) tell_done(std::move(done), false);
  slots_.clear();
  written_.clear();
  core_->poller->keep(keep);
  core_->connections.erase(self_);
  if (core_->on_removed) core_->on_removed();
}

}  // namespace host::web
