#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/adapters/web/server.h"
#include "tests/integration/web_wire.h"

namespace host::webtest {

/// A client that says exactly what the test wants to be said. Every wait has a deadline of 10 s,
/// after which the test fails.
class Client {
 public:
  explicit Client(std::uint16_t port, bool v6 = false);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes);
  /// Waits until the server's kernel has all that was sent, whether the server has read it or not.
  void delivered();
  /// Sends until the server takes no more (or the connection is gone); how much it took.
  std::size_t send_all_it_takes(std::string_view bytes);
  /// One answer, head and body (of its Content-Length, or its chunks, decoded).
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    std::string header(std::string name) const;  // lower-case name; "": not there
  };
  Answer answer(bool to_head = false);
  std::string read_until(std::string_view mark);
  /// Everything up to the end of the connection, which must come.
  std::string rest();
  bool has_bytes() const;  // there is something to read by now
  bool ended();            // the server closed, and nothing else was to be read
  void close_sending();
  void close();
  void reset();  // goes away with a reset

 private:
  bool more();
  int fd_ = -1;
  std::unique_ptr<Wire> wire_;
  std::string held_;
};

/// One lane with a server, running on its own thread. What the handler does with a path:
///   /echo      200 with method, path and body
///   /hold/N    waits until the test calls release("/hold/N")
///   /stream    a stream that the test drives through `streams`
///   /drop      never answers;  /raise raises;  /split answers with a header that cannot be sent
///   /big/N     200 with N bytes
/// All else is 404.
class Lane : public ports::HttpHandler {
 public:
  explicit Lane(web::ServerSettings settings = quick(), const std::string& address = "127.0.0.1:0");
  ~Lane() override;

  /// Deadlines that pass within a test.
  static web::ServerSettings quick();

  std::uint16_t port() const { return address->port(); }
  /// Runs on the lane and waits for the end.
  void run(std::function<void()> work);
  void release(const std::string& path);
  /// Waits until the handler was asked for `path` (and holds it).
  void wait_for(const std::string& path);
  void wait_until(const std::function<bool()>& done);  // asked on the lane
  std::future<void> drain();
  web::Server::Stats stats();

  std::size_t max_body(const HttpRequest& head) override;
  void handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) override;

  boost::asio::io_context io{1};
  std::shared_ptr<web::Address> address;
  std::unique_ptr<web::Server> server;
  // On the lane only.
  std::map<std::string, std::unique_ptr<ports::HttpResponder>> held;
  std::deque<std::shared_ptr<ports::HttpStream>> streams;
  std::vector<std::string> asked;
  std::function<void(const std::string& path)> on_asked;
  int closed_streams = 0;
  std::vector<bool> written;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace host::webtest
