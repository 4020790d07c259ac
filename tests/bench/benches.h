#pragma once

#include "tests/bench/support.h"

namespace host::bench {

// The programs of ./dev bench. Each measures for as long as its options say, prints its Figures and
// returns the exit code. What cannot be set up ends the process by give_up().

/// --plugin FILE, --threads, --seconds: the JSON codec alone on the bytes of the work, each thread
/// with a Lua state of its own. Limit of engine().
int codec(const Options& options);
/// --plugin FILE, --lanes, --messages: shards and scripts on the fake log and store.
int engine(const Options& options);
/// --plugin FILE, --dir, --keys, --seconds, --lanes: shards and scripts on the real log and store,
/// fed as fast as they take it.
int embedded(const Options& options);
/// --plugin FILE, --rate, --seconds, and --dir, or --brokers, --store URL and --prefix: the time
/// from one handler's emit to the end of the next handler.
int hop(const Options& options);
/// --dir, --keys, --seconds, --batch, --what work|log: SQLite alone, the same bytes in prepared
/// statements, `batch` messages a transaction, synchronous = FULL. Peer of embedded() and hop().
int raw_sqlite(const Options& options);
/// --brokers, --topic, --messages, --keys: makes a topic and appends messages of the work.
int fill(const Options& options);
/// --brokers, --from, --to, --messages: consumes and produces unchanged with librdkafka alone,
/// idempotent and acknowledged by all, as the host does. Peer of the host on Kafka.
int copy(const Options& options);
/// --brokers, --topic: makes it.
int topic(const Options& options);
/// --brokers, --topic: how many records it holds.
int records(const Options& options);

}  // namespace host::bench
