#include "host/adapters/postgres/roles.h"

#include <algorithm>
#include <memory>

#include "host/adapters/postgres/names.h"

namespace host::postgres {
namespace {

constexpr std::size_t kLongestName = 63;  // the server cuts longer ones

Error invalid(std::string message, std::string hint = {}) {
  return make_error(Error::Code::invalid, std::move(message), std::move(hint));
}

struct FreeText {
  void operator()(char* text) const { PQfreemem(text); }
};

/// One run of `host db init`, in its transaction.
class Init {
 public:
  Init(Connection& admin, const Roles& roles) : db_(admin), roles_(roles) {}

  Result<void> run() {
    superuser_ = flag("select rolsuper from pg_roles where rolname = current_user");
    database_ = text("select current_database()::text");
    if (Result<void> made = role(roles_.host, "owns the schemas"); !made) return made;
    act_as(roles_.host);
    if (Result<void> granted = database(); !granted) return granted;
    schema(kCommonSchema);
    own(kCommonSchema, tables_of(kCommonSchema), roles_.host);
    own(kCommonSchema, functions_of(kCommonSchema), roles_.host);
    for (const std::string& plugin : roles_.plugins) {
      if (Result<void> made = one_plugin(plugin); !made) return made;
    }
    return {};
  }

  std::vector<std::string> done() && { return std::move(done_); }

 private:
  void run(const std::string& sql) { db_.run_once(sql.c_str()); }
  bool flag(const std::string& sql) {
    const Rows rows(db_.run_once(sql.c_str()));
    return !rows.empty() && rows.flag(0, 0);
  }
  std::string text(const std::string& sql) {
    const Rows rows(db_.run_once(sql.c_str()));
    return rows.empty() ? "" : rows.bytes(0, 0);
  }

  /// A role that could do more would be no wall.
  Result<void> check_existing(const std::string& name) {
    if (flag("select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls"
             " from pg_roles where rolname = " +
             literal(name))) {
      return invalid("the role " + name + " is there and may do more than a role of the host's",
                     "it must be without SUPERUSER, CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS");
    }
    const std::string other = text(
        "select string_agg(g.rolname, ', ') from pg_auth_members m join pg_roles g on"
        " g.oid = m.roleid join pg_roles r on r.oid = m.member where r.rolname = " +
        literal(name));
    if (other.empty()) return {};
    return invalid("the role " + name + " is a member of " + other,
                   "a plugin's role reaches nothing else: revoke it");
  }

  Result<void> role(const std::string& name, const std::string& purpose) {
    if (name.size() > kLongestName) {
      return invalid("the role name " + name + " is longer than 63 bytes", "take a shorter --role");
    }
    const bool there =
        flag("select exists (select 1 from pg_roles where rolname = " + literal(name) + ")");
    if (there) {
      if (Result<void> fine = check_existing(name); !fine) return fine;
    } else {
      run("create role " + quoted(name) + " login");
    }
    const Result<std::optional<std::string>> given = roles_.password(name);
    if (!given) return given.error();
    const std::optional<std::string>& password = *given;
    if (!password && !there) {
      return invalid(
          "there is no password for the new role " + name,
          "HOST_PASSWORD__" + name + ", or a file " + name + " in the folder of --passwords");
    }
    if (password) {
      if (Result<void> set = set_password(name, *password); !set) return set;
    }
    done_.push_back("role " + name + ": " + (there ? "there" : "made") +
                    (password ? ", password set" : "") + "; " + purpose);
    return {};
  }

  /// As a digest: a statement with the password itself may be logged by the server.
  Result<void> set_password(const std::string& name, const std::string& password) {
    if (password.empty() || password.find('\0') != std::string::npos) {
      return invalid("the password of the role " + name + " is empty or holds a NUL");
    }
    const std::unique_ptr<char, FreeText> digest(
        PQencryptPasswordConn(db_.native(), password.c_str(), name.c_str(), "scram-sha-256"));
    if (!digest) return invalid("the password of the role " + name + " cannot be used");
    run("alter role " + quoted(name) + " password " + literal(digest.get()));
    return {};
  }

  /// Who is no superuser makes things for a role only as its member; who made it is one from
  /// PostgreSQL 16 on, but without the right to act as it.
  void act_as(const std::string& name) {
    const bool is_one = superuser_ || flag("select pg_has_role(" + literal(name) + ", 'usage')");
    if (!is_one) run("grant " + quoted(name) + " to current_user");
  }

  /// Who may not do this is only warned by the server: so it is looked at afterwards.
  Result<void> database() {
    const std::string name = quoted(database_);
    run("revoke connect, temporary, create on database " + name + " from public");
    run("grant connect, create on database " + name + " to " + quoted(roles_.host));
    if (!flag("select has_database_privilege(" + literal(roles_.host) +
              ", current_database(), 'create')")) {
      return invalid("this administrator may grant nothing on the database " + database_,
                     "connect as the database's owner, or as a superuser");
    }
    std::string closed = "PUBLIC reaches no schema";
    if (flag("select exists (select 1 from pg_namespace where nspname = 'public')")) {
      run("revoke all on schema public from public");
      if (flag("select has_schema_privilege('public', 'public', 'usage')")) {
        closed = "the schema public is not this administrator's and stays open to every role";
      }
    }
    done_.push_back("database " + database_ + ": only roles that were granted it connect; " +
                    closed);
    return {};
  }

  void schema(const std::string& name) {
    const bool there =
        flag("select exists (select 1 from pg_namespace where nspname = " + literal(name) + ")");
    if (!there) {
      run("create schema " + quoted(name) + " authorization " + quoted(roles_.host));
    } else {
      run("alter schema " + quoted(name) + " owner to " + quoted(roles_.host));
    }
    run("revoke all on schema " + quoted(name) + " from public");
    done_.push_back("schema " + name + ": " + (there ? "there" : "made"));
  }

  Result<void> one_plugin(const std::string& plugin) {
    const std::string name = role_of(roles_.host, plugin);
    const std::string space = quoted(schema_name(plugin)), who = quoted(name);
    if (Result<void> made = role(name, "reaches the schema " + schema_name(plugin) + " alone");
        !made) {
      return made;
    }
    act_as(name);
    run("grant connect on database " + quoted(database_) + " to " + who);
    schema(schema_name(plugin));
    run("grant usage on schema " + quoted(kCommonSchema) + " to " + who);  // for its functions
    run("grant usage, create on schema " + space + " to " + who);
    // The host's tables of this plugin, those to come and those that are there.
    run("alter default privileges for role " + quoted(roles_.host) + " in schema " + space +
        " grant select, insert, update, delete on tables to " + who);
    hand_over(plugin, name);
    return {};
  }

  /// What was made while one role was for all, or came from a backup that knew no roles: the
  /// plugin's tables become its role's, those of the host the host's, and the plugin's to use.
  void hand_over(const std::string& plugin, const std::string& role) {
    const std::string space = schema_name(plugin), hosts = "c.relname like 'host\\_%'";
    own(space, tables_of(space) + " and not " + hosts, role);
    own(space, tables_of(space) + " and " + hosts, roles_.host);
    const Rows rows(db_.run_once((tables_of(space) + " and " + hosts).c_str()));
    for (int i = 0; i < rows.size(); ++i) {
      run("grant select, insert, update, delete on " + rows.bytes(i, 1) + " to " + quoted(role));
    }
  }

  /// Kind, name and owner of each.
  static std::string tables_of(const std::string& schema) {
    return "select 'table', c.oid::regclass::text, c.relowner from pg_class c where c.relkind in"
           " ('r', 'v', 'p') and c.relnamespace = " +
           literal(quoted(schema)) + "::regnamespace";
  }
  static std::string functions_of(const std::string& schema) {
    return "select 'function', p.oid::regprocedure::text, p.proowner from pg_proc p where"
           " p.pronamespace = " +
           literal(quoted(schema)) + "::regnamespace";
  }

  /// Makes `role` the owner of what `things` finds, and says so.
  void own(const std::string& schema, const std::string& things, const std::string& role) {
    const Rows rows(db_.run_once(("select t.* from (" + things +
                                  ") t(kind, name, owner)"
                                  " where t.owner <> " +
                                  literal(quoted(role)) + "::regrole order by t.name")
                                     .c_str()));
    if (rows.empty()) return;
    for (int i = 0; i < rows.size(); ++i) {
      run("alter " + rows.bytes(i, 0) + " " + rows.bytes(i, 1) + " owner to " + quoted(role));
    }
    done_.push_back("schema " + schema + ": " + std::to_string(rows.size()) + " " +
                    rows.bytes(0, 0) + (rows.size() == 1 ? " is" : "s are") + " now of " + role);
  }

  Connection& db_;
  const Roles& roles_;
  std::string database_;
  bool superuser_ = false;
  std::vector<std::string> done_;
};

}  // namespace

std::string role_of(const std::string& host_role, const std::string& plugin) {
  return host_role + "_" + plugin;
}

Result<std::vector<std::string>> init_roles(Connection& admin, const Roles& roles) {
  try {
    Transaction transaction(admin);
    admin.run_once("select pg_advisory_xact_lock(hashtextextended('host db init', 0))");
    Init init(admin, roles);
    if (Result<void> done = init.run(); !done) return done.error();
    transaction.commit();
    return std::move(init).done();
  } catch (const Failure& failure) {
    return to_error(failure, "making roles and schemas");
  }
}

std::string wall_problem(Connection& db, const std::string& plugin) {
  const std::string mine = schema_name(plugin);
  const Rows rows =
      db.run("",
             "select r.rolname::text, r.rolsuper, (select count(*) from pg_namespace n"
             " where n.nspname like 'plugin\\_%' and n.nspname <> $1"
             " and has_schema_privilege(n.oid, 'usage'))"
             " from pg_roles r where r.rolname = current_user",
             Params(mine));
  if (rows.empty()) return "the database does not say who runs SQL of plugin " + plugin;
  const std::string who =
      "SQL of plugin " + plugin + " runs as the database role " + rows.bytes(0, 0);
  const char* const mend = "; `host db init` makes a role for each plugin";
  if (rows.flag(0, 1)) return who + ", a superuser: only checks of its text hold it" + mend;
  if (rows.integer(0, 2) > 0) {
    return who + ", which reaches other plugins' schemas: only checks of its text hold it" + mend;
  }
  return "";
}

}  // namespace host::postgres
