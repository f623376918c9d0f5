#include "actors/inspector.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace postrider {

namespace {

constexpr std::size_t window_max = 250;   // places that are looked at together where a filter may drop some
constexpr std::size_t tenants_first = 16; // supervisors that are asked together; doubles while they yield too little
constexpr std::size_t tenants_max = 256;
constexpr milliseconds next_window_until{900}; // later, the page ends with what it has
constexpr std::size_t named_max = 5;           // silent parts that are named

struct live_place {
  tree_path at;
  actor_status known;
  tenant_supervisor_actor supervisor; // at most one of the three is there to ask
  delivery_actor delivery;
  provider_verifier_actor verifier;
};

/// One page. Works window by window: the live stretch (NODE, then the supervisors that it names, in rounds) and the
/// resting one beside it; their merge; then the status of those on it that live.
class page_reading : public std::enable_shared_from_this<page_reading> {
public:
  page_reading(inspector_self self, page_question question)
      : self_{self}
      , query_{std::move(question.query)}
      , reads_{*question.reads}
      , duty_{std::move(question.duty)}
      , started_{self->clock().now()}
      , after_{query_.after} {
    const auto wants = [this](tree_kind kind, std::size_t depth) {
      return (!query_.kind || *query_.kind == kind) && query_.depth >= depth;
    };
    node_ = wants(tree_kind::node, 0);
    supervisors_ = wants(tree_kind::tenant_supervisor, 1);
    deliveries_ = wants(tree_kind::delivery, 2);
    verifiers_ = wants(tree_kind::provider_verifier, 2);
  }

  void start() {
    const auto& name = self_->state.given.node_name;
    if (query_.node && *query_.node != name)
      return duty_->answer({}); // an unknown node: an empty list
    page_.nodes.push_back({name, true, {}});
    open_window();
  }

private:
  [[nodiscard]] milliseconds left(milliseconds at_most) const {
    const auto spent = std::chrono::ceil<milliseconds>(self_->clock().now() - started_);
    return std::clamp(inspection_total_max - spent, milliseconds{1}, at_most);
  }
  [[nodiscard]] bool children_wanted() const { return deliveries_ || verifiers_; }

  // ---------------------------------------------------------------------------------------- the live stretch

  void open_window() {
    window_ = query_.state ? window_max : query_.limit - page_.data.size();
    live_.clear();
    live_stretch_ = {};
    resting_stretch_ = {};
    resting_rows_.clear();
    silent_.clear();
    live_read_ = resting_read_ = resting_asked_ = false;
    count_ = children_wanted() ? tenants_first : window_ + 1;
    ask_node(after_ ? after_->tenant : std::string{});
  }

  void ask_node(const std::string& from) {
    const auto me = shared_from_this();
    self_->request(self_->state.given.node, left(inspection_node_max), atom::tree::value, from, std::uint64_t{count_})
      .then([me](const handed<node_part>& answer) { me->node_answered(answer.take()); },
            [me](const caf::error&) { me->node_silent(); });
  }

  void node_silent() {
    page_.data.clear();
    page_.nodes.front().answered = false;
    page_.nodes.front().error = "the node's actors did not answer";
    page_.next = query_.after;
    duty_->answer(std::move(page_));
  }

  void node_answered(node_part part) {
    shards_ = part.shards;
    ask_database();
    if (!after_ && live_.empty() && live_stretch_.places.empty() && node_)
      add_live({{self_->state.given.node_name, {}, tree_kind::node, {}}, std::move(part.self), {}, {}, {}});
    if (!supervisors_ && !children_wanted())
      return end_live(true, {});
    more_ = part.more;
    last_slug_ = part.tenants.empty() ? std::string{} : part.tenants.back().slug;
    round_.assign(part.tenants.size(), {});
    truncated_ = {};
    pending_ = 1;
    for (std::size_t i = 0; i < part.tenants.size(); ++i)
      ask_tenant(i, std::move(part.tenants[i]));
    tenant_done();
  }

  void ask_tenant(std::size_t index, node_part::tenant tenant) {
    const auto at = supervisor_path(self_->state.given.node_name, tenant.slug);
    if (supervisors_ && (!after_ || at > *after_))
      round_[index].push_back({at, tenant.known, tenant.actor, {}, {}});
    if (!children_wanted() || !tenant.actor)
      return;
    ++pending_;
    const bool within = after_ && after_->tenant == tenant.slug && after_->kind != tree_kind::tenant_supervisor;
    const child_question question{within ? *after_ : at, false, deliveries_, verifiers_, window_};
    const auto me = shared_from_this();
    self_->request(tenant.actor, left(inspection_level_max), atom::tree::value, hand(question))
      .then([me, index](const handed<supervisor_part>& answer) { me->children_answered(index, answer.take()); },
            [me, index, at](const caf::error& why) { me->children_silent(index, at, is_silence(why)); });
  }

  void children_answered(std::size_t index, supervisor_part part) {
    for (auto& child : part.children)
      round_[index].push_back(
        {std::move(child.at), std::move(child.known), {}, std::move(child.delivery), std::move(child.verifier)});
    if (part.more && (!truncated_ || index < *truncated_))
      truncated_ = index; // whoever stands behind its last child is not known
    tenant_done();
  }

  /// It did not answer: of its children nothing can be said. Or it ended just now: they are at rest, as it is.
  void children_silent(std::size_t index, const tree_path& at, bool silent) {
    if (silent)
      note_silent(at);
    else
      round_[index].clear();
    tenant_done();
  }

  void tenant_done() {
    if (--pending_ > 0)
      return;
    for (std::size_t i = 0; i < round_.size() && (!truncated_ || i <= *truncated_); ++i)
      for (auto& each : round_[i])
        add_live(std::move(each));
    const auto& places = live_stretch_.places;
    if (truncated_)
      return end_live(false, places.back());
    if (!more_)
      return end_live(true, {});
    if (places.size() > window_ || left(inspection_total_max) < inspection_total_max - next_window_until)
      return end_live(false, end_of_tenant(self_->state.given.node_name, last_slug_));
    count_ = std::min(count_ * 2, std::max(tenants_max, window_ + 1));
    ask_node(last_slug_ + '\0');
  }

  void add_live(live_place place) {
    live_stretch_.places.push_back(place.at);
    live_.push_back(std::move(place));
  }

  void end_live(bool complete, std::optional<tree_path> read_to) {
    live_stretch_.complete = complete;
    live_stretch_.read_to = std::move(read_to);
    live_read_ = true;
    merge();
  }

  // ---------------------------------------------------------------------------------------- the resting stretch

  void ask_database() {
    if (std::exchange(resting_asked_, true))
      return;
    resting_query query;
    query.node = self_->state.given.node_name;
    query.shards = owned_shards(shards_);
    query.supervisors = supervisors_;
    query.deliveries = deliveries_;
    query.verifiers = verifiers_;
    query.after = after_;
    query.limit = window_ + 1;
    const bool any = supervisors_ || children_wanted();
    const auto fits = [&](endpoint_status status) { return query_.state == resting_word(status); };
    const bool could_fit = !query_.state || fits(endpoint_status::active) || fits(endpoint_status::paused) ||
                           fits(endpoint_status::disabled);
    if (!any || !could_fit || database_away_) {
      resting_stretch_.complete = true;
      resting_read_ = true;
      return; // the live stretch is still being read
    }
    ask_resting(self_, reads_, std::move(query), left(inspection_database_max),
                [me = shared_from_this()](result<resting_stretch> answer) { me->resting_answered(std::move(answer)); });
  }

  void resting_answered(result<resting_stretch> answer) {
    if (answer) {
      resting_stretch_ = std::move(answer->places);
      resting_rows_ = std::move(answer->rows);
    } else {
      resting_stretch_.complete = true; // memory alone
      database_away_ = true;
    }
    resting_read_ = true;
    merge();
  }

  // ---------------------------------------------------------------------------------------- the window

  void merge() {
    if (!live_read_ || !resting_read_)
      return;
    merged_ = merge_stretches(live_stretch_, resting_stretch_, silent_, window_);
    statuses_.assign(merged_.entries.size(), std::nullopt);
    pending_ = 1;
    for (std::size_t i = 0; i < merged_.entries.size(); ++i) {
      const auto& entry = merged_.entries[i];
      if (entry.live)
        ask_status(i, live_[*entry.live]);
      else
        statuses_[i] = at_rest(entry);
    }
    status_done();
  }

  actor_status at_rest(const tree_page::entry& entry) {
    const auto& row = resting_rows_.at(*entry.resting);
    resting_actor found;
    found.shard = row.shard;
    found.status.path = to_string(entry.at);
    found.status.kind = to_string(entry.at.kind);
    found.status.state = row.state;
    found.status.since = row.since;
    return shown_at_rest(self_, std::move(found), shards_);
  }

  void ask_status(std::size_t index, const live_place& place) {
    if (place.supervisor)
      ask_status(index, place, place.supervisor);
    else if (place.delivery)
      ask_status(index, place, place.delivery);
    else if (place.verifier)
      ask_status(index, place, place.verifier);
    else
      statuses_[index] = place.known;
  }

  template <class Actor>
  void ask_status(std::size_t index, const live_place& place, const Actor& actor) {
    if (query_.state && *query_.state == "passive")
      return; // whoever lives is not
    ++pending_;
    const auto me = shared_from_this();
    self_->request(actor, left(inspection_level_max), atom::status::value)
      .then(
        [me, index](const handed<actor_status>& answer) {
          me->statuses_[index] = answer.take();
          me->status_done();
        },
        [me, index, known = place.known, at = place.at](const caf::error& why) {
          const auto& entry = me->merged_.entries[index];
          if (entry.resting && !is_silence(why)) {
            me->statuses_[index] = me->at_rest(entry);
          } else {
            me->statuses_[index] = shown_silent(me->self_, known);
            me->note_silent(at);
          }
          me->status_done();
        });
  }

  void status_done() {
    if (--pending_ > 0)
      return;
    scanned_ += merged_.entries.size();
    for (std::size_t i = 0; i < merged_.entries.size(); ++i) {
      auto& status = statuses_[i];
      if (!status || (query_.state && status->state != *query_.state))
        continue;
      if (page_.data.size() == query_.limit)
        return finish(shown_);
      shown_ = merged_.entries[i].at;
      page_.data.push_back(std::move(*status));
    }
    if (merged_.complete)
      return finish(std::nullopt);
    const auto next = merged_.next ? merged_.next : after_;
    const bool in_time = self_->clock().now() - started_ < next_window_until;
    if (page_.data.size() == query_.limit || !merged_.next || scanned_ >= inspection_scan_max || !in_time)
      return finish(next);
    after_ = next;
    open_window();
  }

  void note_silent(const tree_path& at) {
    if (std::find(silent_.begin(), silent_.end(), at) == silent_.end())
      silent_.push_back(at);
    if (std::find(not_answering_.begin(), not_answering_.end(), at) == not_answering_.end())
      not_answering_.push_back(at);
  }

  void finish(std::optional<tree_path> next) {
    auto& error = page_.nodes.front().error;
    if (database_away_)
      error = "the database did not answer: actors at rest are not shown";
    if (!not_answering_.empty()) {
      error += error.empty() ? "not answering: " : "; not answering: ";
      for (std::size_t i = 0; i < std::min(not_answering_.size(), named_max); ++i)
        error += (i == 0 ? "" : ", ") + to_string(not_answering_[i]);
      if (not_answering_.size() > named_max)
        error += " and " + std::to_string(not_answering_.size() - named_max) + " more";
    }
    page_.next = std::move(next);
    duty_->answer(std::move(page_));
  }

  inspector_self self_;
  actor_query query_;
  operator_reads& reads_;
  std::shared_ptr<answer_duty<actor_page>> duty_;
  mono_time started_;
  bool node_ = false, supervisors_ = false, deliveries_ = false, verifiers_ = false;
  actor_page page_;
  std::optional<tree_path> shown_; ///< last on the page
  std::size_t scanned_ = 0;
  bool database_away_ = false;
  std::vector<tree_path> not_answering_;

  // of one window
  std::optional<tree_path> after_;
  std::size_t window_ = 0;
  std::size_t count_ = 0;   ///< tenants of this round
  std::size_t pending_ = 0; ///< answers that are awaited, and one for whoever counts them
  std::array<shard_ownership, shard_count> shards_{};
  std::vector<std::vector<live_place>> round_; ///< by tenant
  std::optional<std::size_t> truncated_;       ///< the first tenant with more children than were asked for
  bool more_ = false;
  std::string last_slug_;
  std::vector<live_place> live_;
  tree_stretch live_stretch_, resting_stretch_;
  std::vector<resting_stretch::row> resting_rows_;
  bool live_read_ = false, resting_read_ = false, resting_asked_ = false;
  std::vector<tree_path> silent_; ///< supervisors that did not say who lives
  tree_page merged_;
  std::vector<std::optional<actor_status>> statuses_;
};

} // namespace

void read_page(inspector_self self, page_question question) {
  std::make_shared<page_reading>(self, std::move(question))->start();
}

} // namespace postrider
