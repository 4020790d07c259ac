#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/ports/http_server.h"

namespace host::fakes {

/// What a client sees of its request. Written on the lane; read on it, or after it has ended.
struct Exchange {
  std::optional<HttpResponse> answer;
  bool dropped = false;  // answered by nobody
  bool alive = true;     // the client is still there

  // of a stream
  std::optional<HttpResponse> head;
  std::string body;
  bool finished = false;
  bool broken = false;  // dropped before it was finished
  bool whole = false;   // its end means something
  bool slow = false;    // the client takes nothing until take()
  std::size_t writes = 0;
  UniqueFunction<void(bool)> waiting;
  UniqueFunction<void()> closed;

  void take() {
    if (auto done = std::exchange(waiting, nullptr)) done(alive);
  }
  void go_away() {
    alive = false;
    if (auto callback = std::exchange(closed, nullptr)) callback();
    take();
  }
};

class FakeStream : public ports::HttpStream {
 public:
  FakeStream(std::shared_ptr<Exchange> exchange, Executor& lane)
      : exchange_(std::move(exchange)), lane_(lane) {}
  ~FakeStream() override { exchange_->broken = !exchange_->finished; }
  void write(std::string bytes, UniqueFunction<void(bool)> done) override {
    HOST_CHECK(!exchange_->waiting, "two writes at a time");
    exchange_->body += bytes;
    ++exchange_->writes;
    exchange_->waiting = std::move(done);
    if (exchange_->slow) return;
    lane_.post([exchange = exchange_] { exchange->take(); });
  }
  void on_close(UniqueFunction<void()> callback) override {
    exchange_->closed = std::move(callback);
  }
  void finish() override { exchange_->finished = true; }

 private:
  std::shared_ptr<Exchange> exchange_;
  Executor& lane_;
};

class FakeResponder : public ports::HttpResponder {
 public:
  FakeResponder(std::shared_ptr<Exchange> exchange, Executor& lane)
      : exchange_(std::move(exchange)), lane_(lane) {}
  ~FakeResponder() override {
    if (!exchange_->answer && !exchange_->head) exchange_->dropped = true;
  }
  void respond(HttpResponse response) override {
    HOST_CHECK(!exchange_->answer, "a request was answered twice");
    exchange_->answer = std::move(response);
  }
  std::shared_ptr<ports::HttpStream> stream(HttpResponse head, Body body) override {
    exchange_->head = std::move(head);
    exchange_->whole = body == Body::whole;
    return std::make_shared<FakeStream>(exchange_, lane_);
  }
  bool alive() const override { return exchange_->alive; }

 private:
  std::shared_ptr<Exchange> exchange_;
  Executor& lane_;
};

}  // namespace host::fakes
