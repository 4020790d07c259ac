#pragma once

#include <string>
#include <string_view>

#include "host/core/http.h"

namespace host {

/// Whether an If-None-Match header names `etag` (with its quotes), weakly compared; "*" does.
bool names_etag(std::string_view if_none_match, std::string_view etag);

/// Whether an Accept-Encoding header takes `coding` ("br", "gzip"); "*" does, "q=0" does not.
bool takes_encoding(std::string_view accept_encoding, std::string_view coding);

/// An ETag of these bytes: equal bytes, equal tag. Not a secret, no protection from forgery.
std::string etag_of(std::string_view bytes);

/// What may be kept for `max_age_seconds`, by anybody or (`shared` false) by its client alone; 0:
/// kept, and asked for anew each time.
std::string cache_control(long long max_age_seconds, bool shared);

/// Adds an ETag to a 200 of GET or HEAD, unless it has one, and makes it 304 when the request knows
/// it. Other answers stay as they are.
void answer_if_changed(const HttpRequest& request, HttpResponse& response);

}  // namespace host
