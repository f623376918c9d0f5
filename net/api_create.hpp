#pragma once

#include "net/api_call.hpp"
#include "net/api_json.hpp"
#include "net/api_page.hpp"
#include "net/json_reader.hpp"

#include <boost/json/array.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What the tables of routes share: creating one or many, and the usual answers.
namespace postrider {

template <class T>
struct create_request {
  std::vector<T> items;
  bool batch = false;
};

/// Reads either one object, or a batch `{"<plural>":[…]}` of 1 to 500; `read` gets each with its place. All errors at
/// once.
template <class T>
result<create_request<T>> read_create(std::string_view body, std::string_view plural,
                                      const std::function<T(json_reader&)>& read) {
  constexpr std::size_t batch_max = 500;
  const auto place = [](T& item, const std::string& where) {
    if constexpr (requires { item.at; })
      item.at = where;
  };
  auto document = parse_json_object(body);
  if (!document)
    return document.error();
  create_request<T> out;
  std::vector<field_error> errors;
  json_reader whole{*document, "", errors};
  out.batch = document->contains({plural.data(), plural.size()});
  if (!out.batch) {
    out.items.push_back(read(whole));
    place(out.items.back(), "");
    whole.finish();
  } else if (const auto* const list = whole.array(plural, batch_max)) {
    if (list->empty())
      whole.error(plural, "too-short", "at least one is needed");
    for (std::size_t i = 0; i < list->size(); ++i) {
      const auto where = whole.pointer(plural) + "/" + std::to_string(i);
      if (!(*list)[i].is_object()) {
        add_field_error(errors, where, "wrong-type", "an object is expected");
        continue;
      }
      json_reader one{(*list)[i].get_object(), where, errors};
      out.items.push_back(read(one));
      place(out.items.back(), where);
      one.finish();
    }
    whole.finish();
  } else if (errors.empty()) {
    whole.error(plural, "wrong-type", "an array is expected"); // null
  }
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

/// 201 with the object, or with `{"data":[…]}` for a batch.
template <class Record, class ToJson>
void answer_created(const api_call_ptr& call, const result<std::vector<Record>>& made, bool batch, ToJson to_object) {
  if (!made)
    return call->fail(made.error());
  // `no-store`: some answers carry the secret, the only time that it is shown.
  if (!batch && made->size() == 1)
    return call->answer(201, to_object(made->front()), {{"cache-control", "no-store"}});
  boost::json::array data;
  for (const auto& one : *made)
    data.emplace_back(to_object(one));
  call->answer(201, boost::json::object{{"data", std::move(data)}}, {{"cache-control", "no-store"}});
}

/// 200 with the object.
template <class Record>
reply<Record> answer_object(const api_call_ptr& call) {
  return [call](result<Record> found) { found ? call->answer(200, to_json(*found)) : call->fail(found.error()); };
}

/// 204.
inline reply<bool> answer_deleted(const api_call_ptr& call) {
  return [call](result<bool> gone) { gone ? call->no_content() : call->fail(gone.error()); };
}

/// 200 with a page.
template <class Record>
reply<page<Record>> answer_page(const api_call_ptr& call, std::string list, std::string tenant) {
  return [call, list = std::move(list), tenant = std::move(tenant)](result<page<Record>> found) {
    if (!found)
      return call->fail(found.error());
    call->answer(200, page_json(*found, list, tenant, [](const Record& one) { return to_json(one); }));
  };
}

} // namespace postrider
