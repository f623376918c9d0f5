#pragma once

#include "actors/management_store.hpp"
#include "core/secret_box.hpp"
#include "persistence/tenant_access.hpp"

#include <string_view>
#include <vector>

/// SQL of sources, inside a transaction that `enter_tenant` has confined to their tenant. What cannot be is thrown as
/// `refusal`.
namespace postrider {

/// All or none. 409 `name-taken` names the name.
std::vector<source_record> create_sources(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                          const std::vector<new_source>& sources, const secret_key& data_key);
page<source_record> list_sources(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                 const page_request& request);
/// A name that looks like an id is found too, unless that is the id of another source.
source_record get_source(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                         std::string_view name_or_id);
/// With its secrets that are valid now, in clear.
source_config get_source_rules(pqxx::transaction_base& transaction, std::string_view name_or_id,
                               const secret_key& data_key);
void delete_source(pqxx::transaction_base& transaction, const entered_tenant& tenant, std::string_view name_or_id);
/// What `decide` makes of it. 409 `name-taken` where another source has the new name.
source_record change_source(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                            std::string_view name_or_id, const source_change& decide, const secret_key& data_key);
/// 422 `validation-failed` at `/secret` where the source's scheme has no secrets, or none of this form.
source_record rotate_source_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                   std::string_view name_or_id, const secret_rotation& rotation,
                                   const secret_key& data_key);
/// The number of a living source, or nothing.
std::optional<source_no> find_source(pqxx::transaction_base& transaction, std::string_view name_or_id);

} // namespace postrider
