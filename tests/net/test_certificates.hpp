#pragma once

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace postrider::test {

/// A certificate authority made for one test, and servers that it vouches for.
class test_authority {
public:
  test_authority();
  ~test_authority();
  test_authority(const test_authority&) = delete;
  test_authority& operator=(const test_authority&) = delete;

  struct certificate {
    std::string name = "DNS:hooks.test"; ///< subject alternative names as OpenSSL writes them
    int valid_from_days = -1;
    int valid_until_days = 1;
    bool self_signed = false;
    int version_max = 0; ///< TLS version, 0: any
  };
  /// A server's context, to be freed with free_server().
  [[nodiscard]] std::shared_ptr<SSL_CTX> server(const certificate& what) const;
  /// A PEM file with the authority's certificate; removed with this object.
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
  struct keys;
  std::unique_ptr<keys> keys_;
  std::string file_;
};

} // namespace postrider::test
