#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postrider::test {

/// A file of its own for one test; removed at the end.
class temporary_file {
public:
  explicit temporary_file(std::string_view text) {
    auto pattern = (std::filesystem::temp_directory_path() / "postrider_config_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    std::ofstream{path(), std::ios::binary} << text;
  }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  [[nodiscard]] std::string path() const { return (directory_ / "postrider.toml").string(); }

private:
  std::filesystem::path directory_;
};

} // namespace postrider::test
