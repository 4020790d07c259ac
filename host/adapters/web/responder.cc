#include "host/adapters/web/responder.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace host::web {
namespace asio = boost::asio;

namespace {

/// Of one request; dropping it unanswered answers 500.
class Responder final : public ports::HttpResponder {
 public:
  Responder(std::shared_ptr<ServerCore> core, std::weak_ptr<Connection> connection,
            Connection::SlotId id)
      : core_(std::move(core)), connection_(std::move(connection)), id_(id) {}
  ~Responder() override {
    if (!answered_) Responder::respond(problem(500, "the request was dropped without an answer"));
  }
  void respond(HttpResponse response) override {
    answered_ = true;
    if (const auto connection = connection_.lock()) connection->respond(id_, std::move(response));
  }
  std::shared_ptr<ports::HttpStream> stream(HttpResponse head, Body body) override;
  bool alive() const override {
    const auto connection = connection_.lock();
    return connection && connection->client_alive();
  }

 private:
  std::shared_ptr<ServerCore> core_;
  std::weak_ptr<Connection> connection_;
  Connection::SlotId id_;
  bool answered_ = false;
};

class Stream final : public ports::HttpStream {
 public:
  Stream(std::shared_ptr<ServerCore> core, std::weak_ptr<Connection> connection,
         Connection::SlotId id)
      : core_(std::move(core)), connection_(std::move(connection)), id_(id) {}
  ~Stream() override {
    if (const auto connection = connection_.lock()) connection->stream_dropped(id_);
  }
  void write(std::string bytes, UniqueFunction<void(bool)> done) override {
    if (const auto connection = connection_.lock()) {
      connection->stream_write(id_, std::move(bytes), std::move(done));
    } else {
      asio::post(core_->io, [call = std::move(done)]() mutable { call(false); });
    }
  }
  void on_close(UniqueFunction<void()> callback) override {
    if (const auto connection = connection_.lock()) {
      connection->stream_on_close(id_, std::move(callback));
    } else {
      asio::post(core_->io, std::move(callback));
    }
  }
  void finish() override {
    if (const auto connection = connection_.lock()) connection->stream_finish(id_);
  }

 private:
  std::shared_ptr<ServerCore> core_;
  std::weak_ptr<Connection> connection_;
  Connection::SlotId id_;
};

std::shared_ptr<ports::HttpStream> Responder::stream(HttpResponse head, Body body) {
  answered_ = true;
  if (const auto connection = connection_.lock())
    connection->begin_stream(id_, std::move(head), body);
  return std::make_shared<Stream>(core_, connection_, id_);
}

}  // namespace

std::unique_ptr<ports::HttpResponder> make_responder(std::shared_ptr<ServerCore> core,
                                                     std::weak_ptr<Connection> connection,
                                                     Connection::SlotId id) {
  return std::make_unique<Responder>(std::move(core), std::move(connection), id);
}

}  // namespace host::web
