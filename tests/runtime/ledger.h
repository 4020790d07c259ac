#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/ports/script_engine.h"

namespace host::ledger {

/// The plugin "ledger" of the simulations: transfers between accounts, each debited by the shard of
/// the payer and credited by that of the payee, in many ways. At the end each is booked once on
/// both sides, in order per payer.
inline constexpr int kAccounts = 8;

std::string account(int n);

/// "12 account-1 account-2 3": id, payer, payee, amount.
struct Transfer {
  int id = 0;
  std::string payer, payee;
  int amount = 0;

  static Transfer parse(const std::string& text);
  std::string text() const;
};

/// An account's state: balance, ids of debits, ids of credits.
struct Account {
  int balance = 0;
  std::vector<int> debits, credits;

  static Account parse(const std::optional<std::string>& bytes);
  std::string text() const;
};

/// What its handler does on the way, by the id.
enum class Way { plain, raises, yields, timer, sql, query, retries, reads, kCount };
Way way_of(const Transfer& t);

/// Reads "transfers", "orders" (keyed by another account) and "credits".
std::shared_ptr<const ports::Revision> revision();

}  // namespace host::ledger
