// Runs a target over files instead of a fuzzer: `fuzz_query corpus/query` or a single crash file.
#include "fuzz/fuzz.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;

char running[4096];  // the file under test: read by the handler of a crash

void on_crash(int signal) {
  // Nothing but what a signal handler may call; a write that fails can be told to nobody.
  static constexpr char kSays[] = "fuzz: stopped by the input ";
  for (const char* part : {kSays, static_cast<const char*>(running), "\n"})
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  std::snprintf(running, sizeof running, "%s", file.c_str());
  // As libFuzzer does: a copy of its own, so that a sanitizer sees a read past the end.
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, on_crash);
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i]))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "fuzz: no inputs; usage: %s FILE-OR-FOLDER...\n", argv[0]);
    return 2;
  }
  for (const fs::path& file : files) run(file);
  std::printf("%zu inputs\n", files.size());
  return 0;
}
