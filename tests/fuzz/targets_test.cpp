#include "tests/fuzz/targets.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

using namespace postrider;

namespace {

constexpr int inputs_per_target = 20'000;
constexpr std::uint64_t seed = 20'261'121;

/// One input: a sample with a few bytes changed, or characters of the parser's own alphabet, or any bytes.
class input_maker {
public:
  explicit input_maker(const fuzz::target& target) : target_{target} {}

  std::string next() {
    const auto kind = below(4);
    if (kind == 0) {
      std::string out;
      for (auto left = below(60); left > 0; --left)
        out += below(4) == 0 ? static_cast<char>(below(256)) : letter();
      return out;
    }
    std::string out{target_.samples[below(target_.samples.size())]};
    for (auto left = below(4); left > 0; --left)
      change(out);
    return out;
  }

private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  char letter() { return target_.alphabet[below(target_.alphabet.size())]; }

  void change(std::string& text) {
    const auto at = below(text.size() + 1);
    const auto kind = below(4);
    if (kind == 0)
      text.insert(at, 1, letter());
    else if (kind == 1)
      text += text.substr(at);
    else if (at < text.size() && kind == 2)
      text[at] = letter();
    else if (at < text.size())
      text.erase(at, 1 + below(3));
  }

  const fuzz::target& target_;
  std::mt19937_64 random_{seed};
};

void run_on_seeded_inputs(std::span<const fuzz::target> targets) {
  for (const auto& target : targets) {
    BOOST_TEST_MESSAGE(target.name << ", seed " << seed);
    for (const auto sample : target.samples)
      BOOST_REQUIRE_NO_THROW(target.run(sample));
    input_maker inputs{target};
    for (int i = 0; i < inputs_per_target; ++i) {
      const auto input = inputs.next();
      BOOST_REQUIRE_NO_THROW(target.run(input));
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(fuzz_targets)

BOOST_AUTO_TEST_CASE(parsers_of_core_keep_their_promises_on_seeded_inputs) {
  run_on_seeded_inputs(fuzz::core_targets());
}

BOOST_AUTO_TEST_CASE(parsers_of_http_keep_their_promises_on_seeded_inputs) {
  run_on_seeded_inputs(fuzz::http_targets());
}

BOOST_AUTO_TEST_SUITE_END()
