#pragma once

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace postrider::test {

/// PEM texts of a certificate and its key.
struct test_identity {
  std::string certificate, key;
};

/// A file that goes with this object.
class test_file {
public:
  explicit test_file(const std::string& text);
  ~test_file();
  test_file(const test_file&) = delete;
  test_file& operator=(const test_file&) = delete;
  void write(const std::string& text) const; ///< instead of what it holds
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
  std::string path_;
};

/// A server's context that presents it.
std::shared_ptr<SSL_CTX> server_of(const test_identity& who);

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
    bool weak = false;   ///< an RSA key of 1024 bits
    int rsa_bits = 0;    ///< an RSA key of so many; above 2,048 a made-up one, which signs nothing
    std::string curve = "P-256";
    std::string name_constraints{}; ///< as OpenSSL writes them
  };
  /// A certificate of this authority, and its key.
  [[nodiscard]] test_identity issue(const certificate& what) const;
  [[nodiscard]] std::string pem() const; ///< the authority's own certificate
  /// A server's context, to be freed with free_server().
  [[nodiscard]] std::shared_ptr<SSL_CTX> server(const certificate& what) const;
  /// A PEM file with the authority's certificate; removed with this object.
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
  struct keys;
  struct pair;
  [[nodiscard]] std::unique_ptr<pair> make(const certificate& what) const;
  std::unique_ptr<keys> keys_;
  std::string file_;
};

} // namespace postrider::test
