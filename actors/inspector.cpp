#include "actors/inspector.hpp"

#include "actors/actor_support.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

#include <utility>

namespace postrider {

namespace {

problem unknown_actor() {
  return {404, "actor-unknown", "there is no such actor on this node", {}, {}};
}

/// One question for one actor, on its way down.
struct single {
  tree_path path;
  operator_reads* reads;
  std::shared_ptr<answer_duty<result<actor_status>>> duty;
  std::array<shard_ownership, shard_count> shards{};
};
using single_ptr = std::shared_ptr<single>;

void look_at_rest(inspector_self self, const single_ptr& one) {
  // Also without a shard of ours: whether that is so, or the database is away, it alone can tell.
  ask_resting(self, *one->reads, one->path, owned_shards(one->shards), inspection_database_max,
              [self, one](result<std::optional<resting_actor>> found) {
                if (!found)
                  return one->duty->answer(found.error());
                if (!*found)
                  return one->duty->answer(unknown_actor());
                one->duty->answer(shown_at_rest(self, std::move(**found), one->shards));
              });
}

// What it went through before it was woken the last time: its breaker's and its endpoint's changes are stored. With the
// database away its own memory has to do.
void add_stored_history(inspector_self self, const single_ptr& one, actor_status status, wall_time woken_at) {
  ask_resting(self, *one->reads, one->path, owned_shards(one->shards), inspection_level_max,
              [one, status = std::move(status), woken_at](result<std::optional<resting_actor>> found) mutable {
                if (found && *found) {
                  auto& stored = (*found)->status.transitions;
                  std::erase_if(stored, [&](const auto& each) { return each.at >= woken_at; });
                  add_history(status, stored);
                }
                one->duty->answer(std::move(status));
              });
}

/// `actor` describes itself; nothing: its parent's word is all there is.
template <class Actor>
void ask_status(inspector_self self, const single_ptr& one, const Actor& actor, const actor_status& known) {
  if (!actor)
    return one->duty->answer(known);
  self->request(actor, inspection_level_max, atom::status::value)
    .then(
      [self, one, known](const handed<actor_status>& answer) {
        auto status = answer.take();
        const auto own = status.transitions.empty() ? wall_time::max() : status.transitions.back().at;
        add_history(status, known.transitions);
        if (one->path.kind == tree_kind::delivery)
          add_stored_history(self, one, std::move(status), own);
        else
          one->duty->answer(std::move(status));
      },
      [self, one, known](const caf::error& why) {
        if (is_silence(why))
          one->duty->answer(shown_silent(self, known));
        else
          look_at_rest(self, one);
      });
}

void ask_child(inspector_self self, const single_ptr& one, const node_part::tenant& tenant) {
  if (!tenant.actor)
    return look_at_rest(self, one);
  const child_question question{one->path, true, one->path.kind == tree_kind::delivery,
                                one->path.kind == tree_kind::provider_verifier, 1};
  self->request(tenant.actor, inspection_level_max, atom::tree::value, hand(question))
    .then(
      [self, one](const handed<supervisor_part>& answer) {
        const auto& children = answer.look().children;
        if (children.empty())
          return look_at_rest(self, one);
        const auto& child = children.front();
        if (child.verifier)
          ask_status(self, one, child.verifier, child.known);
        else
          ask_status(self, one, child.delivery, child.known);
      },
      [self, one](const caf::error& why) {
        if (!is_silence(why))
          return look_at_rest(self, one);
        one->duty->answer(
          problem{503, "actors-not-answering", "its supervisor did not answer", {}, std::chrono::seconds{2}});
      });
}

void read_actor(inspector_self self, actor_question question) {
  auto& state = self->state;
  const auto one = std::make_shared<single>(single{std::move(question.path), question.reads, question.duty, {}});
  if (one->path.node != state.given.node_name)
    return one->duty->answer(unknown_actor());
  const auto count = std::uint64_t{one->path.kind == tree_kind::node ? 0U : 1U};
  self->request(state.given.node, inspection_node_max, atom::tree::value, one->path.tenant, count)
    .then(
      [self, one](const handed<node_part>& answer) {
        const auto part = answer.take();
        one->shards = part.shards;
        if (one->path.kind == tree_kind::node)
          return one->duty->answer(part.self);
        if (part.tenants.empty() || part.tenants.front().slug != one->path.tenant)
          return look_at_rest(self, one);
        const auto& tenant = part.tenants.front();
        if (one->path.kind == tree_kind::tenant_supervisor)
          ask_status(self, one, tenant.actor, tenant.known);
        else
          ask_child(self, one, tenant);
      },
      [one](const caf::error&) {
        one->duty->answer(
          problem{503, "actors-not-answering", "the node's actors did not answer", {}, std::chrono::seconds{2}});
      });
}

template <class Waiting, class Answer>
void take_answer(Waiting& waiting, std::uint64_t ticket, Answer answer) {
  const auto found = waiting.find(ticket);
  if (found == waiting.end())
    return; // its patience was over before
  const auto then = std::move(found->second);
  waiting.erase(found);
  then(std::move(answer));
}

problem database_silent() {
  return {503, "store-unavailable", "the database did not answer", {}, std::chrono::seconds{2}};
}

} // namespace

void ask_resting(inspector_self self, operator_reads& reads, resting_query query, milliseconds patience,
                 std::function<void(result<resting_stretch>)> then) {
  const auto ticket = ++self->state.tickets;
  self->state.stretches.emplace(ticket, std::move(then));
  self->delayed_send(self, patience, atom::tick::value, ticket);
  reads.resting(std::move(query), [mail = self->state.given.mail.stretch, ticket](result<resting_stretch> answer) {
    mail(ticket, std::move(answer));
  });
}

void ask_resting(inspector_self self, operator_reads& reads, const tree_path& path, std::vector<shard_no> shards,
                 milliseconds patience, std::function<void(result<std::optional<resting_actor>>)> then) {
  const auto ticket = ++self->state.tickets;
  self->state.actors.emplace(ticket, std::move(then));
  self->delayed_send(self, patience, atom::tick::value, ticket);
  reads.resting(path, std::move(shards),
                [mail = self->state.given.mail.actor, ticket](result<std::optional<resting_actor>> answer) {
                  mail(ticket, std::move(answer));
                });
}

std::vector<shard_no> owned_shards(const std::array<shard_ownership, shard_count>& shards) {
  std::vector<shard_no> out;
  for (std::size_t i = 0; i < shards.size(); ++i)
    if (shards[i].under != 0)
      out.push_back(static_cast<shard_no>(i));
  return out;
}

actor_status shown_at_rest(inspector_self self, resting_actor found,
                           const std::array<shard_ownership, shard_count>& shards) {
  auto out = std::move(found.status);
  out.node = self->state.given.node_name;
  out.epoch = shards.at(static_cast<std::size_t>(found.shard)).epoch;
  return out;
}

actor_status shown_silent(inspector_self self, actor_status known) {
  known.state = "not_answering";
  known.since = self->state.given.wall_now();
  return known;
}

bool is_silence(const caf::error& why) {
  return why != caf::sec::request_receiver_down && why != caf::exit_reason::user_shutdown &&
         why != caf::exit_reason::normal;
}

inspector_actor::behavior_type inspector(inspector_self self, inspector_arguments given) {
  self->state.given = std::move(given);
  // An answer for a former INSPECTOR's ticket shall find none here.
  self->state.tickets = static_cast<std::uint64_t>(self->clock().now().time_since_epoch().count());
  log_and_end_on_exception(self, "inspector");
  return {
    [=](atom::tree, const handed<page_question>& question) { read_page(self, question.take()); },
    [=](atom::status, const handed<actor_question>& question) { read_actor(self, question.take()); },
    [=](atom::loaded, std::uint64_t ticket, const handed<result<resting_stretch>>& answer) {
      take_answer(self->state.stretches, ticket, answer.take());
    },
    [=](atom::loaded, std::uint64_t ticket, const handed<result<std::optional<resting_actor>>>& answer) {
      take_answer(self->state.actors, ticket, answer.take());
    },
    [=](atom::tick, std::uint64_t ticket) {
      take_answer(self->state.stretches, ticket, result<resting_stretch>{database_silent()});
      take_answer(self->state.actors, ticket, result<std::optional<resting_actor>>{database_silent()});
    },
  };
}

} // namespace postrider
