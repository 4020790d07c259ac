#include <catch2/catch.hpp>

#include "host/app/admin_documents.h"

namespace host::app {
namespace {

using Catch::Contains;

ports::DeadLetter letter(std::string payload) {
  ports::DeadLetter out;
  out.id = "ledger/3/1-1";
  out.message.payload = std::move(payload);
  return out;
}

TEST_CASE("a dead letter shows its payload as JSON and as text") {
  CHECK_THAT(dead_document(letter("{\"n\":1}")),
             Contains("\"payload\":{\"n\":1}") && Contains("\"payload_text\":\"{"));
  CHECK_THAT(dead_document(letter("{")),
             !Contains("\"payload\":") && Contains("\"payload_text\":\"{\""));
}

TEST_CASE("a payload that is nested without end is shown as text alone") {
  const std::string deep = std::string(400'000, '[') + std::string(400'000, ']');
  CHECK_THAT(dead_document(letter(deep)), !Contains("\"payload\":") && Contains("[[["));
  CHECK_THAT(dead_document(letter(std::string(100, '[') + std::string(100, ']'))),
             Contains("\"payload\":[[["));
}

TEST_CASE("text that is no UTF-8 does not break a document") {
  CHECK_THAT(dead_document(letter("\xff")), Contains("\xEF\xBF\xBD"));
}

}  // namespace
}  // namespace host::app
