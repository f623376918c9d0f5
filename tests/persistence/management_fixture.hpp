#pragma once

#include "persistence/management_store.hpp"
#include "persistence/random_bytes.hpp"
#include "tests/support/postgres_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <pqxx/pqxx>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace postrider::tests {

template <class Reply>
struct answer_type;
template <class Answer>
struct answer_type<std::function<void(Answer)>> {
  using type = Answer;
};
template <class Reply>
using answer_of = typename answer_type<Reply>::type;

/// A store on a database of its own.
struct management_fixture {
  explicit management_fixture(postgres_fixture& server = postgres_fixture::instance(),
                              milliseconds call_deadline = milliseconds{20'000})
      : url{server.fresh_database()}, store{options_for(call_deadline), counts} {}

  management_store_options options_for(milliseconds call_deadline) {
    management_store_options out;
    out.url = url;
    out.master_key = master_key;
    out.call_deadline = call_deadline;
    out.changed = [this](tenant_no no) {
      const std::lock_guard guard{mutex};
      changed.push_back(no);
    };
    return out;
  }

  /// The answer of `(store.*method)(arguments..., done)`.
  template <class... Parameters, class... Arguments>
  auto ask(void (postgres_management_store::*method)(Parameters...), Arguments&&... arguments) {
    using answer = answer_of<std::tuple_element_t<sizeof...(Parameters) - 1, std::tuple<Parameters...>>>;
    const auto promise = std::make_shared<std::promise<answer>>();
    auto future = promise->get_future();
    (store.*method)(std::forward<Arguments>(arguments)...,
                    [promise](answer given) { promise->set_value(std::move(given)); });
    if (future.wait_for(std::chrono::seconds{60}) != std::future_status::ready)
      throw std::runtime_error("the store did not answer");
    return future.get();
  }

  std::string sql(const std::string& text) const {
    pqxx::connection connection{url};
    pqxx::nontransaction session{connection};
    const auto rows = session.exec(text);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0].as<std::string>("null");
  }
  std::int64_t version(const std::string& slug) const {
    return std::stoll(sql("select config_version from tenant where slug = '" + slug + "' order by no desc limit 1"));
  }

  tenant_record tenant(const std::string& slug) {
    const auto made =
      ask(&postgres_management_store::create_tenants, std::vector{new_tenant{slug, "Name of " + slug, "", {}}});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }
  source_record source(const std::string& slug, const std::string& name,
                       std::vector<std::string> secrets = {"a secret of the source"}) {
    new_source wanted{name, "github", "github", std::move(secrets)};
    const auto made = ask(&postgres_management_store::create_sources, slug, std::vector{wanted});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }
  endpoint_record endpoint(const std::string& slug, const std::string& url_of_it = "https://example.com/hook") {
    new_endpoint wanted;
    wanted.config.url = url_of_it;
    wanted.config.secrets = {{"whsec_readable_secret_text"}};
    const auto made = ask(&postgres_management_store::create_endpoints, slug, std::vector{wanted});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    return made->front();
  }

  secret_key master_key = random_bytes<32>();
  std::string url;
  metrics counts;
  std::mutex mutex;
  std::vector<tenant_no> changed;
  postgres_management_store store;
};

template <class T>
void check_refused(const result<T>& answer, int status, const std::string& code) {
  BOOST_REQUIRE(!answer);
  BOOST_TEST(answer.error().status == status);
  BOOST_TEST(answer.error().code == code);
}

} // namespace postrider::tests
