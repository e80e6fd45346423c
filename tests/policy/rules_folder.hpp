// The repository's rule files, and texts from disk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/rule_set.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

namespace mizan::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// File name to text of every .json in a folder.
inline std::map<std::string, std::string> read_folder(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json")
      files[entry.path().filename().string()] = read_text(entry.path());
  return files;
}

[[noreturn]] inline void give_up(const std::string& why) {
  std::cerr << why << '\n';
  std::exit(2);
}

/// Ends the program where the rules do not load.
inline policy::RuleSet load_rules(const std::filesystem::path& folder) {
  auto rules = policy::RuleSet::load(read_folder(folder));
  if (!rules) give_up(rules.error().message);
  return *std::move(rules);
}

}  // namespace mizan::test
