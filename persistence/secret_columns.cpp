#include "persistence/secret_columns.hpp"

#include "persistence/random_bytes.hpp"

#include <algorithm>

namespace postrider {

std::string data_key_associated_data(const tenant_id& tenant) {
  return {tenant.value.bytes.begin(), tenant.value.bytes.end()};
}

std::string source_secret_associated_data(const source_id& source, int ordinal) {
  return "source:" + to_string(source) + ":" + std::to_string(ordinal);
}

std::string source_config_associated_data(const source_id& source) {
  return "source:" + to_string(source) + ":config";
}

std::string endpoint_secret_associated_data(const endpoint_id& endpoint, int ordinal) {
  return "endpoint:" + to_string(endpoint) + ":" + std::to_string(ordinal);
}

std::string endpoint_client_key_associated_data(const endpoint_id& endpoint) {
  return "endpoint:" + to_string(endpoint) + ":client_key";
}

std::string seal_column(const secret_key& key, std::string_view plaintext, std::string_view associated_data) {
  return seal(key, random_bytes<12>(), plaintext, associated_data);
}

secret_key make_data_key() {
  return random_bytes<32>();
}

std::string seal_data_key(const secret_key& master_key, const tenant_id& tenant, const secret_key& data_key) {
  return seal_column(master_key, {reinterpret_cast<const char*>(data_key.data()), data_key.size()},
                     data_key_associated_data(tenant));
}

std::optional<secret_key> open_data_key(const secret_key& master_key, const tenant_id& tenant,
                                        std::string_view sealed) {
  const auto clear = open(master_key, sealed, data_key_associated_data(tenant));
  secret_key key{};
  if (!clear || clear->size() != key.size())
    return std::nullopt;
  std::copy(clear->begin(), clear->end(), key.begin());
  return key;
}

} // namespace postrider
