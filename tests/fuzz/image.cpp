// OCI images by strangers: nothing is written beside the image's own folder. An input is choices: a
// layout's index as it is, or a config and layers whose digests are made right here.
#include "fuzz/fuzz.hpp"
#include "fuzz/temporary_folder.hpp"
#include "sandbox/oci_image.hpp"
#include "sandbox/sha256.hpp"

#include <fstream>

using namespace mizan;
using namespace mizan::sandbox;

namespace {

using fuzz::Choices;

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}
std::string add_blob(const fs::path& layout, std::string_view text) {
  mizan::sandbox::Sha256 hash;
  hash.add(text.data(), text.size());
  const std::string digest = hash.finish();
  write(layout / "blobs/sha256" / digest, text);
  return "\"sha256:" + digest + "\"";
}

void whole_image(Choices& in, const fs::path& layout) {
  const std::string config(as_text(in.bytes(500)));
  std::string layers, tars;
  for (uint64_t left = in.pick(4); left > 0; --left) {
    const std::string digest = add_blob(layout, as_text(in.bytes(20'000)));
    layers += (layers.empty() ? "" : ",") + ("{\"digest\":" + digest + "}");
    tars += (tars.empty() ? "" : ",") + digest;  // a plain tar: both digests are one
  }
  const std::string settings = add_blob(layout, "{\"config\":" + (config.empty() ? "{}" : config) +
                                                    R"(,"rootfs":{"diff_ids":[)" + tars + "]}}");
  const std::string manifest =
      add_blob(layout, "{\"config\":{\"digest\":" + settings + "},\"layers\":[" + layers + "]}");
  write(layout / "index.json", "{\"manifests\":[{\"digest\":" + manifest + "}]}");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices in({data, size});
  const fuzz::TemporaryFolder folder;
  const fs::path layout = folder.path / "layout", images = folder.path / "images";
  fs::create_directories(layout / "blobs/sha256");
  fs::create_directories(images);
  write(folder.path / "canary", "as it was");
  write(layout / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  const bool whole = in.flag();
  if (whole)
    whole_image(in, layout);
  else
    write(layout / "index.json", as_text(in.rest()));

  ImageStore store(images, 1 << 20);
  const auto image = store.get(layout.string());
  // An image whose user is not found stays unpacked: it is whole.
  size_t left = 0;
  for (const auto& entry : fs::directory_iterator(images)) {
    ensure(entry.path().filename().string().size() == 64, "an image is there whole, or not at all");
    ++left;
  }
  ensure(left <= 1 && (left == 1 || !image), "one layout is one image");
  ensure(fs::file_size(folder.path / "canary") == 9, "nothing else is touched");
  for (const auto& entry : fs::directory_iterator(folder.path))
    ensure(
        entry.path() == layout || entry.path() == images || entry.path() == folder.path / "canary",
        "nothing is written beside the images");
  if (image) {
    const auto again = store.get(layout.string());
    ensure(again && again->digest == image->digest && again->user.uid == image->user.uid,
           "an image is unpacked once");
  }
  return 0;
}
