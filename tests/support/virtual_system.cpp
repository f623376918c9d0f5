#include "tests/support/virtual_system.hpp"

#include "actors/node.hpp"
#include "core/signature.hpp"
#include "tests/support/github_scheme.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace postrider::test {

using namespace std::chrono_literals;

namespace {

constexpr auto step = 10ms;
constexpr auto poll_gap = 1s;
const wall_time birth{std::chrono::hours{24 * 365 * 56}};

} // namespace

virtual_system::virtual_system(engine_limits limits)
    : context{.node_name = "n1",
              .database = door,
              .requests = requests,
              .counts = counts,
              .verifiers = verifiers,
              .wall_now = [this] { return wall(); },
              .limits = limits}
    , system_{configuration_} {
  scheduler_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  scheduler_->clock().current_time += 1000h; // far from the clock's zero, where "never" would look like "just now"
  start_ = mono();
  next_poll_ = start_ + poll_gap;
  tell_time();
  node = system_.spawn(postrider::node, node_arguments{&context, std::make_shared<heartbeat>(0)});
  const inspection_mail mail{[this](std::uint64_t ticket, result<resting_stretch> answer) {
                               caf::anon_send(looking, atom::loaded::value, ticket, hand(std::move(answer)));
                             },
                             [this](std::uint64_t ticket, result<std::optional<resting_actor>> answer) {
                               caf::anon_send(looking, atom::loaded::value, ticket, hand(std::move(answer)));
                             }};
  looking = system_.spawn(inspector, inspector_arguments{"n1", node, mail, [this] { return wall(); }});
  bridge.connect(node);
  put(config_of({1}));
  own(fence_);
}

virtual_system::~virtual_system() {
  bridge.disconnect();
  caf::anon_send_exit(looking, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(node, caf::exit_reason::user_shutdown);
  looking = nullptr;
  node = nullptr;
  database.set_available(true); // what it keeps would keep actors
  settle();
  while (scheduler_->has_pending_timeout()) {
    scheduler_->trigger_timeouts();
    settle();
  }
}

void virtual_system::tell_time() {
  database.set_now(wall());
  database.set_mono_now(mono());
}

void virtual_system::settle() {
  tell_time();
  for (std::size_t done = 1; done > 0;) {
    done = scheduler_->run();
    done += requests.run();
    done += database.run();
  }
}

void virtual_system::pass(std::chrono::milliseconds by) {
  scheduler_->advance_time(by);
  tell_time();
}

void virtual_system::advance(std::chrono::milliseconds by) {
  settle();
  for (const auto end = mono() + by; mono() < end;) {
    scheduler_->advance_time(std::min<std::chrono::nanoseconds>(step, end - mono()));
    tell_time();
    if (polls && mono() >= next_poll_) {
      next_poll_ += poll_gap;
      database.poll_due(wall());
    }
    settle();
  }
}

std::uint64_t virtual_system::submit(const webhook& what) {
  auto request = std::make_shared<ingest_request>();
  request->tenant = what.tenant;
  request->source = what.source;
  request->method = "POST";
  request->body = what.body;
  request->content_type = "application/json";
  request->headers = "X-GitHub-Event: " + what.type + "\r\nX-GitHub-Delivery: " + what.id +
                     "\r\nX-Hub-Signature-256: sha256=" + encode_hex(hmac_sha256(what.secret, what.body)) + "\r\n";
  request->received_at = wall();
  const auto bytes = static_cast<std::int64_t>(what.body.size());
  ++sequence_;
  if (!admission->try_enter(bytes)) {
    replies->answer({{{0, 0, sequence_}, ingest_result::overloaded, {}, {}}});
    return sequence_;
  }
  request->ticket = ingest_ticket{{0, 0, sequence_}, bytes, replies, admission};
  const bool known = verifiers.with(what.tenant, what.source, [&](const provider_verifier_actor& verifier) {
    caf::anon_send(verifier, atom::ingest::value, request);
  });
  if (!known)
    caf::anon_send(node, atom::ingest::value, std::move(request));
  return sequence_;
}

std::optional<ingest_answer> virtual_system::answer(std::uint64_t sequence) const {
  const auto found = replies->by_sequence.find(sequence);
  return found == replies->by_sequence.end() ? std::nullopt : std::optional{found->second};
}

ingest_result virtual_system::post(const webhook& what) {
  const auto sequence = submit(what);
  settle();
  const auto given = answer(sequence);
  if (!given)
    throw std::logic_error("the request was not answered");
  return given->result;
}

void virtual_system::own(fence under) {
  database.set_lease(3, under);
  database.report_leases();
  settle();
}

std::vector<actor_status> virtual_system::tree() {
  actor_query query;
  query.limit = 100'000;
  auto paths = page(query).data;
  std::vector<actor_status> out;
  for (auto& each : paths) { // with what only one actor alone shows
    auto status = each.state == "not_answering" ? result<actor_status>{each} : one(each.path);
    out.push_back(status ? std::move(*status) : std::move(each));
  }
  return out;
}

std::shared_ptr<std::optional<actor_page>> virtual_system::begin_page(actor_query query) {
  auto out = std::make_shared<std::optional<actor_page>>();
  auto duty =
    std::make_shared<answer_duty<actor_page>>([out](actor_page page) { *out = std::move(page); }, actor_page{});
  caf::anon_send(looking, atom::tree::value, hand(page_question{std::move(query), &resting, std::move(duty)}));
  return out;
}

actor_page virtual_system::page(actor_query query) {
  const auto out = begin_page(std::move(query));
  settle();
  if (!*out)
    throw std::logic_error("the page was not answered");
  return std::move(**out);
}

result<actor_status> virtual_system::one(const std::string& path) {
  auto out = std::make_shared<result<actor_status>>(problem{500, "not-answered", "", {}, {}});
  auto duty = std::make_shared<answer_duty<result<actor_status>>>(
    [out](result<actor_status> status) { *out = std::move(status); }, problem{500, "lost", "", {}, {}});
  caf::anon_send(looking, atom::status::value,
                 hand(actor_question{parse_tree_path(path).value(), &resting, std::move(duty)}));
  settle();
  return std::move(*out);
}

std::optional<actor_status> virtual_system::actor(const std::string& path_end) {
  for (auto& each : tree())
    if (each.path.ends_with(path_end))
      return std::move(each);
  return std::nullopt;
}

std::shared_ptr<bool> virtual_system::drain() {
  auto ended = std::make_shared<bool>(false);
  system_.spawn(
    [](caf::event_based_actor* self, const node_actor& asked, const std::shared_ptr<bool>& into) {
      self->request(asked, caf::infinite, atom::drain::value).then([into](bool done) { *into = done; });
    },
    node, ended);
  settle();
  return ended;
}

std::size_t virtual_system::count_of(delivery_state state) const {
  std::size_t count = 0;
  for (const auto& [id, row] : database.deliveries())
    count += row.state == state ? 1 : 0;
  return count;
}

mono_time virtual_system::mono() const {
  return scheduler_->clock().now();
}
wall_time virtual_system::wall() const {
  return birth + std::chrono::floor<milliseconds>(mono() - start_);
}

endpoint_id virtual_system::id_of(endpoint_no no) {
  endpoint_id out;
  out.value.bytes[15] = static_cast<std::uint8_t>(no);
  return out;
}

tenant_config virtual_system::config_of(std::vector<endpoint_no> endpoints, std::int64_t version) {
  tenant_config out;
  out.no = 1;
  out.id.value.bytes[15] = 1;
  out.slug = "acme";
  out.shard = 3;
  out.version = version;
  auto& source = out.sources.emplace_back();
  source.no = 11;
  source.id.value.bytes[15] = 11;
  source.name = "github";
  source.provider = "github";
  source.rules = test::github_scheme();
  source.secrets = {{"s3cret", {}}};
  for (const auto no : endpoints) {
    auto& endpoint = out.endpoints.emplace_back();
    endpoint.no = no;
    endpoint.id = id_of(no);
    endpoint.url = "https://example.com/" + std::to_string(no);
    endpoint.max_in_flight = 2;
  }
  return out;
}

} // namespace postrider::test
