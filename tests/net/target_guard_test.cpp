#include "net/target_guard.hpp"
#include "net/target_url.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace postrider;
namespace data = boost::unit_test::data;

namespace {

ip_address address(std::string_view text) {
  const auto parsed = parse_ip_address(text);
  BOOST_REQUIRE_MESSAGE(parsed, "not an address: " << text);
  return *parsed;
}
std::vector<cidr_block> blocks(std::initializer_list<std::string_view> texts) {
  std::vector<cidr_block> out;
  for (const auto text : texts)
    out.push_back(parse_cidr_block(text).value());
  return out;
}
std::string blocked(const target_guard& guard, std::string_view text, std::uint16_t port = 443) {
  return std::string{guard.why_blocked(address(text), port)};
}
const target_guard strict{{}};

/// First and last of each range, and an address inside of it.
constexpr const char* never_public[] = {
  "0.0.0.0", "0.1.2.3", "0.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255", "100.64.0.0", "100.100.100.200",
  "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254",
  "169.254.170.2", "169.254.255.255", "172.16.0.0", "172.20.1.1", "172.31.255.255", "192.0.0.0", "192.0.0.192",
  "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.0",
  "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.0", "203.0.113.255",
  "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
  // v6
  "::", "::1", "::2", "fc00::", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1",
  "feff::1", "ff00::", "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:1",
  "64:ff9b:1::1", "2001:db8::1", "2001:db8:ffff::1", "2001::1", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1",
  "2001:1ff::1", "3fff::1", "3fff:fff::1", "5f00::1", "2620:4f:8000::1", "4000::1", "1000::1", "e000::1", "200::1",
  // v4 in v6, also where the v4 part alone would be public
  "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.216.34", "::10.0.0.1",
  "::93.184.216.34", "::ffff:0:10.0.0.1", "::ffff:0:93.184.216.34", "64:ff9b::10.0.0.1", "64:ff9b::93.184.216.34",
  "64:ff9b:1::a00:1", "2002:a00:1::", "2002:7f00:1::1", "2002:5db8:d822::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
  "2001:0:1:2:3:4:5:6", "2600:1f00::5efe:10.0.0.1", "2600:1f00::200:5efe:93.184.216.34"};

constexpr const char* always_public[] = {"1.1.1.1",
                                         "8.8.8.8",
                                         "9.255.255.255",
                                         "11.0.0.0",
                                         "93.184.216.34",
                                         "100.63.255.255",
                                         "100.128.0.0",
                                         "126.255.255.255",
                                         "128.0.0.0",
                                         "168.63.129.15",
                                         "168.63.129.17",
                                         "169.253.255.255",
                                         "169.255.0.0",
                                         "172.15.255.255",
                                         "172.32.0.0",
                                         "191.255.255.255",
                                         "192.0.1.0",
                                         "192.0.3.0",
                                         "192.167.255.255",
                                         "192.169.0.0",
                                         "198.17.255.255",
                                         "198.20.0.0",
                                         "198.51.99.255",
                                         "198.51.101.0",
                                         "203.0.112.255",
                                         "203.0.114.0",
                                         "223.255.255.255",
                                         "2001:200::1",
                                         "2001:4860:4860::8888",
                                         "2606:2800:220:1:248:1893:25c8:1946",
                                         "2a00:1450:4001::1",
                                         "2003::1",
                                         "2620:4f:8001::1",
                                         "3ffe::1",
                                         "2000::1",
                                         "3fff:1000::1"};

} // namespace

BOOST_AUTO_TEST_SUITE(target_guard_test)

BOOST_DATA_TEST_CASE(what_is_not_the_public_internet_is_blocked, data::make(never_public), text) {
  BOOST_TEST(blocked(strict, text) != "");
}

BOOST_DATA_TEST_CASE(the_public_internet_is_allowed, data::make(always_public), text) {
  BOOST_TEST(blocked(strict, text) == "");
}

BOOST_DATA_TEST_CASE(every_blocked_v4_address_is_blocked_in_every_v6_form, data::make(never_public), text) {
  const auto v4 = address(text);
  if (v4.v6)
    return;
  // Everything is allowed in its v6 form: only the v4 address inside can be the reason.
  const target_guard guard{{.allow = blocks({"::/0"})}};
  const auto with = [&](std::array<std::uint8_t, 16> bytes, std::size_t offset, std::uint8_t flip = 0) {
    for (std::size_t index = 0; index < 4; ++index)
      bytes[offset + index] = static_cast<std::uint8_t>(v4.bytes[index] ^ flip);
    return make_ip_v6(bytes);
  };
  BOOST_TEST(!guard.allows(with({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12), 443));
  BOOST_TEST(!guard.allows(with({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12), 443));
  BOOST_TEST(!guard.allows(with({0, 0x64, 0xff, 0x9b}, 12), 443));
  BOOST_TEST(!guard.allows(with({0x20, 0x02}, 2), 443));
  BOOST_TEST(!guard.allows(with({0x20, 0x01}, 12, 0xff), 443));
  BOOST_TEST(!guard.allows(with({0x26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5e, 0xfe}, 12), 443));
  BOOST_TEST(!guard.allows(with({0x26, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x5e, 0xfe}, 12), 443));
}

BOOST_AUTO_TEST_CASE(an_allowed_translation_prefix_lets_public_addresses_through_only) {
  const target_guard guard{{.allow = blocks({"64:ff9b::/96"})}};
  BOOST_TEST(blocked(guard, "64:ff9b::93.184.216.34") == "");
  BOOST_TEST(blocked(guard, "64:ff9b::10.0.0.1") == "private");
}

BOOST_AUTO_TEST_CASE(deny_beats_allow_and_both_beat_the_ranges) {
  const target_guard guard{
    {.allow = blocks({"10.0.0.0/8", "8.8.0.0/16"}), .deny = blocks({"10.9.0.0/16", "8.8.8.0/24", "2a00::/16"})}};
  BOOST_TEST(blocked(guard, "10.1.1.1") == "");
  BOOST_TEST(blocked(guard, "10.9.1.1") == "denied by the operator");
  BOOST_TEST(blocked(guard, "8.8.8.8") == "denied by the operator");
  BOOST_TEST(blocked(guard, "8.8.4.4") == "");
  BOOST_TEST(blocked(guard, "2a00:1450::1") == "denied by the operator");
  BOOST_TEST(blocked(guard, "192.168.0.1") == "private");
  BOOST_TEST(blocked(guard, "::ffff:10.1.1.1") == "IPv4-mapped"); // allowing the v4 range allows no other form of it
}

BOOST_AUTO_TEST_CASE(development_allows_loopback_and_nothing_else) {
  const target_guard guard{{.allow_loopback = true}};
  BOOST_TEST(blocked(guard, "127.0.0.1") == "");
  BOOST_TEST(blocked(guard, "127.9.9.9") == "");
  BOOST_TEST(blocked(guard, "::1") == "");
  BOOST_TEST(blocked(guard, "10.0.0.1") == "private");
  BOOST_TEST(blocked(guard, "0.0.0.0") != "");
  BOOST_TEST(blocked(guard, "::ffff:127.0.0.1") != "");
}

BOOST_AUTO_TEST_CASE(listeners_are_blocked_by_address_and_port_whatever_is_allowed) {
  target_guard guard{{.allow = blocks({"0.0.0.0/0", "::/0"}), .allow_loopback = true}};
  guard.block_listener(address("127.0.0.1"), 8080, {});
  guard.block_listener(address("10.0.0.5"), 7070, {});
  BOOST_TEST(blocked(guard, "127.0.0.1", 8080) == "a listener of this cluster");
  BOOST_TEST(blocked(guard, "::ffff:127.0.0.1", 8080) == "a listener of this cluster");
  BOOST_TEST(blocked(guard, "64:ff9b::10.0.0.5", 7070) == "a listener of this cluster");
  BOOST_TEST(blocked(guard, "127.0.0.1", 8081) == "");
  BOOST_TEST(blocked(guard, "127.0.0.2", 8080) == "");
  BOOST_TEST(blocked(guard, "10.0.0.5", 7071) == "");
}

BOOST_AUTO_TEST_CASE(a_listener_on_every_address_is_blocked_on_every_address) {
  target_guard guard{{.allow = blocks({"0.0.0.0/0", "::/0"})}};
  guard.block_listener(address("::"), 9000, {address("10.0.0.7"), address("2a00::7")});
  for (const auto* each : {"127.0.0.1", "127.3.2.1", "::1", "0.0.0.0", "::", "10.0.0.7", "2a00::7"})
    BOOST_TEST(blocked(guard, each, 9000) == "a listener of this cluster");
  BOOST_TEST(blocked(guard, "10.0.0.8", 9000) == "");
  BOOST_TEST(blocked(guard, "10.0.0.7", 9001) == "");
}

BOOST_AUTO_TEST_CASE(this_machine_knows_its_loopback_address) {
  const auto all = local_addresses();
  BOOST_TEST((std::find(all.begin(), all.end(), address("127.0.0.1")) != all.end()));
}

BOOST_AUTO_TEST_CASE(blocks_of_addresses_are_read_strictly) {
  BOOST_TEST((parse_cidr_block("10.1.2.3/8") == parse_cidr_block("10.0.0.0/8")));
  BOOST_TEST(parse_cidr_block("10.1.2.3")->prefix_bits == 32);
  BOOST_TEST(parse_cidr_block("::1")->prefix_bits == 128);
  BOOST_TEST(parse_cidr_block("0.0.0.0/0")->contains(address("9.9.9.9")));
  BOOST_TEST(!parse_cidr_block("0.0.0.0/0")->contains(address("::1")));
  BOOST_TEST(parse_cidr_block("172.16.0.0/12")->contains(address("172.31.255.255")));
  BOOST_TEST(!parse_cidr_block("172.16.0.0/12")->contains(address("172.32.0.0")));
  for (const auto* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x", "::/129",
                          "10.0.0/8", "010.0.0.0/8", "[::1]", "fe80::1%eth0", "localhost", "10.0.0.0/0008"})
    BOOST_TEST(!parse_cidr_block(bad), bad);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(target_url_test)

BOOST_AUTO_TEST_CASE(an_url_is_taken_apart) {
  const auto plain = parse_target_url("HTTP://Hooks.Example.COM").value();
  BOOST_TEST(!plain.tls);
  BOOST_TEST(plain.host == "hooks.example.com");
  BOOST_TEST(plain.port == 80);
  BOOST_TEST(plain.host_header == "hooks.example.com");
  BOOST_TEST(plain.request_target == "/");
  BOOST_TEST(!plain.literal);
  const auto full = parse_target_url("https://[2a00::1]:8443/a%2Fb?x=%00&y#z").value();
  BOOST_TEST(full.tls);
  BOOST_TEST(full.host == "2a00::1");
  BOOST_TEST(full.port == 8443);
  BOOST_TEST(full.host_header == "[2a00::1]:8443");
  BOOST_TEST(full.request_target == "/a%2Fb?x=%00&y");
  BOOST_TEST(full.literal.has_value());
  BOOST_TEST(parse_target_url("https://a.test:443/")->host_header == "a.test");
  BOOST_TEST(parse_target_url("https://a.test?q")->request_target == "/?q");
}

BOOST_AUTO_TEST_CASE(what_is_no_plain_absolute_url_is_refused) {
  for (const auto* bad : {"",
                          "/hook",
                          "ftp://a.test/",
                          "//a.test/",
                          "https:///hook",
                          "https://",
                          "https://user@a.test/",
                          "https://user:word@a.test/",
                          "https://a.test:0/",
                          "https://a.test:65536/",
                          "https://a.test:99999/",
                          "https://a..test/",
                          "https://.test/",
                          "https://a%2etest/",
                          "https://a test/",
                          "https://a.test/a b",
                          "https://a.test/\r\nx: y",
                          "https://[fe80::1%25eth0]/",
                          "https://[v1.a]/",
                          "https://\xc3\xa4.test/",
                          "https://a,b/",
                          "https://[::1/",
                          "mailto:a@b.test",
                          "https:a.test"})
    BOOST_TEST(!parse_target_url(bad), bad);
  BOOST_TEST(!parse_target_url("https://a.test/" + std::string(9000, 'a')));
  BOOST_TEST(!parse_target_url("https://" + std::string(254, 'a') + "/"));
}

BOOST_AUTO_TEST_CASE(numbers_that_only_look_like_addresses_are_names) {
  // inet_aton would make 127.0.0.1 of them; here they are looked up and found nowhere, or guarded by what is found.
  for (const auto* text : {"http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"})
    if (const auto parsed = parse_target_url(text))
      BOOST_TEST(!parsed->literal, text);
}

BOOST_AUTO_TEST_SUITE_END()
