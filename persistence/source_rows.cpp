#include "persistence/source_rows.hpp"

#include "config/source_settings.hpp"
#include "persistence/parameters.hpp"
#include "persistence/secret_columns.hpp"

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

template <class Owner, class AssociatedData>
void add_secret(Owner& owner, const pqxx::row& row, const std::optional<secret_key>& key,
                AssociatedData associated_data) {
  const auto ordinal = row[1].as<int>();
  auto clear = key ? open(*key, read_bytes(row[2]), associated_data(owner.id, ordinal)) : std::nullopt;
  if (clear)
    owner.secrets.push_back({std::move(*clear), read_optional_time(row[3])});
  else
    spdlog::error("store: a secret cannot be opened owner={} ordinal={}", to_string(owner.id), ordinal);
}

} // namespace

source_config read_source_config(const pqxx::row& row, const std::optional<secret_key>& key) {
  source_config out;
  out.no = row[0].as<std::int64_t>();
  out.id = {read_uuid(row[1])};
  out.name = row[2].c_str();
  out.provider = row[3].c_str();
  out.scheme = row[4].c_str();
  out.enabled = row[5].as<bool>();
  out.on_unverified = static_cast<unverified_mode>(row[6].as<int>());
  out.dedupe = static_cast<dedupe_mode>(row[7].as<int>());
  source_settings settings{row[8].c_str(), {}};
  if (!row[9].is_null()) {
    auto clear = key ? open(*key, read_bytes(row[9]), source_config_associated_data(out.id)) : std::nullopt;
    if (clear)
      settings.secret = std::move(*clear);
    else
      spdlog::error("store: the settings of a source cannot be opened source={}", to_string(out.id));
  }
  out.rules = rules_of(out.scheme, settings);
  if (!out.rules)
    spdlog::error("store: a source's scheme cannot be read, nothing of it is believed source={} scheme={}",
                  to_string(out.id), out.scheme);
  out.config = settings_map(settings);
  return out;
}

void add_source_secret(source_config& source, const pqxx::row& row, const std::optional<secret_key>& key) {
  add_secret(source, row, key, source_secret_associated_data);
}

void add_endpoint_secret(endpoint_config& endpoint, const pqxx::row& row, const std::optional<secret_key>& key) {
  add_secret(endpoint, row, key, endpoint_secret_associated_data);
}

} // namespace postrider
