#include "host/adapters/web/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <optional>

#include "host/adapters/web/target.h"

namespace host::web {
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

using Failure = RequestParser::Failure;

std::string_view view(string_view s) { return {s.data(), s.size()}; }

/// Room for the headers that most requests have.
constexpr std::size_t kUsualHeaders = 12;

std::string lower_case(string_view s) {
  std::string out(s.data(), s.size());
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_method(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

/// reg-name, IPv4 or bracketed IPv6, and a port; an empty Host is allowed by the grammar.
bool is_authority(std::string_view s) {
  constexpr std::string_view kOthers = "-._~!$&'()*+;=:[]%";
  return std::all_of(s.begin(), s.end(), [&](char c) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alnum || kOthers.find(c) != std::string_view::npos;
  });
}

Failure failure_of(const error_code& ec, std::string_view first_line) {
  if (ec == http::error::body_limit) return {413, "the body is too large"};
  if (ec == http::error::header_limit) return {431, "the head of the request is too large"};
  const std::size_t at = first_line.rfind(" HTTP/");
  if (ec == http::error::bad_version && at != std::string_view::npos &&
      first_line.size() == at + 9 && std::count(first_line.begin(), first_line.end(), ' ') == 2) {
    return {505, "this server speaks HTTP/1.1"};
  }
  return {400, ec.message()};
}

/// What one request makes of Beast's events. A rule that is broken sets `failure` and an error that
/// stops the parser.
class Reader final : public http::basic_parser<true> {
 public:
  HttpRequest request;
  std::optional<Failure> failure;
  bool http10 = false;
  bool expects_continue = false;
  bool head_done_ = false;  // fields from now on are trailers

 private:
  void refuse(int status, std::string detail, error_code& ec) {
    if (!failure) failure = Failure{status, std::move(detail)};
    ec = http::error::bad_value;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    http10 = version < 11;
    request.method = view(method);
    request.target = view(target);
    if (!is_method(request.method) || request.method == "CONNECT") {
      return refuse(501, "this method is not implemented", ec);
    }
    if (request.method == "OPTIONS" && request.target == "*") {
      request.path = "*";
      return;
    }
    Result<Target> parsed = web::parse_target(request.target);
    if (!parsed) return refuse(400, parsed.error().message, ec);
    request.path = std::move(parsed->path);
    request.query = std::move(parsed->query);
    authority_ = std::move(parsed->authority);
  }

  void on_field_impl(http::field field, string_view name, string_view value,
                     error_code& ec) override {
    if (head_done_) return;  // a trailer: checked by the grammar, never a header
    switch (field) {
      case http::field::host:
        ++hosts_;
        if (!is_authority(view(value))) return refuse(400, "the Host header is malformed", ec);
        break;
      case http::field::content_length:
        ++lengths_;
        if (view(value).find(',') != std::string_view::npos) ++lengths_;
        break;
      case http::field::transfer_encoding:
        ++encodings_;
        if (lower_case(value) != "chunked") ++encodings_;
        break;
      case http::field::expect:
        if (lower_case(value) != "100-continue") {
          return refuse(417, "only 100-continue can be expected", ec);
        }
        expects_continue = !http10;
        break;
      default:
        break;
    }
    if (request.headers.empty()) request.headers.reserve(kUsualHeaders);
    request.headers.emplace_back(lower_case(name), view(value));
  }

  void on_header_impl(error_code& ec) override {
    head_done_ = true;
    if (hosts_ > 1 || (hosts_ == 0 && !http10)) {
      return refuse(400, "exactly one Host header is needed", ec);
    }
    if (encodings_ > 1 || (encodings_ == 1 && (http10 || lengths_ > 0 || !chunked()))) {
      return refuse(400, "the only Transfer-Encoding is chunked, alone and on HTTP/1.1", ec);
    }
    if (lengths_ > 1) return refuse(400, "more than one Content-Length", ec);
    if (!authority_.empty()) {
      if (!is_authority(authority_)) return refuse(400, "the target's authority is malformed", ec);
      // An absolute target overrides Host, so that nobody decides by a name that was not asked for.
      set_header(request.headers, "host", authority_);
    }
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}

  std::string authority_;
  int hosts_ = 0;
  int lengths_ = 0;
  int encodings_ = 0;
};

}  // namespace

class RequestParser::Impl {
 public:
  explicit Impl(ParserLimits l) : limits(l) { reset(); }

  void reset() {
    reader.emplace();
    reader->body_limit(boost::none);  // unknown before the head; set_max_body() sets it
    reader->header_limit(static_cast<std::uint32_t>(limits.header_bytes + 16));
    line_start = scanned = lines = 0;
    started = head_complete = keep_alive = false;
    failure = {};
  }

  State fail(int status, std::string detail) {
    failure = {status, std::move(detail)};
    return State::failed;
  }

  State fail(const error_code& ec, std::string_view first_line) {
    failure = reader->failure ? *reader->failure : failure_of(ec, first_line);
    return State::failed;
  }

  /// Looks for the end of the head line by line, so that Beast sees it whole: fed bit by bit, its
  /// limit counts each piece anew.
  State scan(const char* data, std::size_t size) {
    while (scanned < size) {
      const void* found = std::memchr(data + scanned, '\n', size - scanned);
      if (found == nullptr) break;
      const std::size_t feed = static_cast<std::size_t>(static_cast<const char*>(found) - data);
      scanned = feed + 1;
      if (feed == line_start || data[feed - 1] != '\r') {
        return fail(400, "a line ends without a carriage return");
      }
      const char first = data[line_start];
      if (lines > 0 && (first == ' ' || first == '\t')) return fail(400, "a folded header");
      const bool empty = feed - line_start == 1;
      line_start = scanned;
      if (empty) {
        return scanned > limits.header_bytes ? fail(431, "the head of the request is too large")
                                             : State::head;
      }
      if (++lines > limits.headers + 1) return fail(431, "too many headers");
    }
    scanned = size;
    if (size > limits.header_bytes) return fail(431, "the head of the request is too large");
    return State::need_more;
  }

  State put_head(const char* data, std::size_t size, std::size_t& used) {
    std::size_t skip = 0;
    // A line end left over from an earlier body (RFC 9112, 2.2).
    while (!started && skip + 1 < size && data[skip] == '\r' && data[skip + 1] == '\n') skip += 2;
    used = skip;
    data += skip;
    size -= skip;
    if (size == 0 || (!started && size == 1 && data[0] == '\r')) return State::need_more;
    started = true;
    const State scan_state = scan(data, size);
    if (scan_state != State::head) return scan_state;
    error_code ec;
    const char* line_end = static_cast<const char*>(std::memchr(data, '\r', scanned));
    used += reader->put(boost::asio::const_buffer(data, scanned), ec);
    if (ec) return fail(ec, {data, static_cast<std::size_t>(line_end - data)});
    if (!reader->is_header_done()) return fail(400, "the head of the request is malformed");
    head_complete = true;
    keep_alive = reader->keep_alive();  // now: a trailer may not change it
    return State::head;
  }

  State put_body(const char* data, std::size_t size, std::size_t& used) {
    error_code ec;
    used = reader->put(boost::asio::const_buffer(data, size), ec);
    if (ec == http::error::need_more) {
      // Only a chunk's line or the trailers can make Beast ask for more of the same.
      if (size - used > limits.header_bytes) return fail(431, "trailers are too large");
      return State::need_more;
    }
    if (ec) return fail(ec, {});
    return reader->is_done() ? State::done : State::need_more;
  }

  ParserLimits limits;
  std::optional<Reader> reader;
  std::size_t line_start = 0;
  std::size_t scanned = 0;
  std::size_t lines = 0;
  bool started = false;
  bool head_complete = false;
  bool keep_alive = false;
  Failure failure;
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::State RequestParser::put(const char* data, std::size_t size, std::size_t& used) {
  used = 0;
  return impl_->head_complete ? impl_->put_body(data, size, used)
                              : impl_->put_head(data, size, used);
}

RequestParser::State RequestParser::set_max_body(std::size_t bytes) {
  Reader& reader = *impl_->reader;
  if (reader.content_length().value_or(0) > bytes) {
    return impl_->fail(413, "the body is longer than " + std::to_string(bytes) + " bytes");
  }
  reader.body_limit(bytes);
  reader.eager(true);
  return reader.is_done() ? State::done : State::need_more;
}

void RequestParser::reset() { impl_->reset(); }
bool RequestParser::started() const { return impl_->started; }
HttpRequest& RequestParser::request() { return impl_->reader->request; }
bool RequestParser::http10() const { return impl_->reader->http10; }
bool RequestParser::keep_alive() const { return impl_->keep_alive; }
bool RequestParser::expects_continue() const { return impl_->reader->expects_continue; }
const RequestParser::Failure& RequestParser::failure() const { return impl_->failure; }

}  // namespace host::web
