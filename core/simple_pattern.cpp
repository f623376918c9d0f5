#include "core/simple_pattern.hpp"

#include <charconv>
#include <limits>

namespace postrider {

namespace {

using characters = std::bitset<256>;
constexpr std::string_view signs_with_meaning = "^$.|?*+()[]{}\\";

std::size_t index_of(char c) noexcept {
  return static_cast<unsigned char>(c);
}

/// Reads from the front of a pattern; what it has read is gone from `rest`.
struct pattern_reader {
  std::string_view rest;

  std::optional<char> next() {
    if (rest.empty())
      return {};
    const char c = rest.front();
    rest.remove_prefix(1);
    return c;
  }

  bool escape(characters& out) {
    const auto c = next();
    if (!c)
      return false;
    if (*c == 'd') {
      for (char digit = '0'; digit <= '9'; ++digit)
        out.set(index_of(digit));
      return true;
    }
    if (*c == 'n')
      return out.set(index_of('\n')), true;
    const bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
    return !is_letter && (out.set(index_of(*c)), true);
  }

  // `[` is read already.
  bool bracket(characters& out) {
    if (rest.starts_with('^'))
      return false;
    for (auto c = next(); c; c = next()) {
      if (*c == ']')
        return out.any();
      if (*c == '\\') {
        if (!escape(out))
          return false;
      } else if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
        const char last = rest[1];
        rest.remove_prefix(2);
        if (index_of(last) < index_of(*c) || last == '\\')
          return false;
        for (auto at = index_of(*c); at <= index_of(last); ++at)
          out.set(at);
      } else {
        out.set(index_of(*c));
      }
    }
    return false;
  }

  std::optional<std::size_t> number() {
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
    if (error != std::errc{} || out > simple_pattern::count_max)
      return {};
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return out;
  }

  // {m} or {m,n}; `{` is read already.
  bool counts(std::size_t& least, std::size_t& most) {
    const auto first = number();
    if (!first)
      return false;
    least = most = *first;
    if (rest.starts_with(',')) {
      next();
      const auto second = number();
      if (!second)
        return false;
      most = *second;
    }
    return next() == '}' && least <= most && most > 0;
  }
};

} // namespace

std::optional<simple_pattern> simple_pattern::parse(std::string_view text) {
  if (text.size() < 3 || text.size() > text_max || text.front() != '^' || text.back() != '$')
    return {};
  pattern_reader in{text.substr(1, text.size() - 2)};
  simple_pattern out;
  while (const auto c = in.next()) {
    step each;
    if (*c == '\\' ? !in.escape(each.characters) : *c == '[' && !in.bracket(each.characters))
      return {};
    if (*c != '\\' && *c != '[') {
      if (signs_with_meaning.find(*c) != std::string_view::npos)
        return {};
      each.characters.set(index_of(*c));
    }
    if (in.rest.starts_with('+')) {
      in.next();
      each.most = std::numeric_limits<std::size_t>::max();
    } else if (in.rest.starts_with('{')) {
      in.next();
      if (!in.counts(each.least, each.most))
        return {};
    }
    const bool is_greedy = !out.steps_.empty() && out.steps_.back().most > out.steps_.back().least;
    if (is_greedy && (out.steps_.back().characters & each.characters).any())
      return {};
    out.steps_.push_back(each);
  }
  return out;
}

bool simple_pattern::matches(std::string_view text) const noexcept {
  if (steps_.empty())
    return false;
  for (const auto& each : steps_) {
    std::size_t count = 0;
    while (count < each.most && count < text.size() && each.characters.test(index_of(text[count])))
      ++count;
    if (count < each.least)
      return false;
    text.remove_prefix(count);
  }
  return text.empty();
}

} // namespace postrider
